"""What an action is called with: an instance, an event of a direct chat, a recording outbox."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from actions.base import Context
from connections.envelope import OutboundMessage, SendResult
from events.models import Contact, Conversation, Event, Handle
from events.outbox.attempts import Delivered
from omni.recent import Recent
from tests.factories import make_event, make_instance


@dataclass
class Outbox:
    """Stands for `events.outbox.deliver`: once per effect key, answers as told, else succeeds."""

    messages: list[OutboundMessage] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Delivered] = field(default_factory=list)
    done: dict[str, Delivered] = field(default_factory=dict)
    results: list[SendResult] = field(default_factory=list)

    def send(self, message: OutboundMessage, effect_key: str, **options: Any) -> Delivered:
        if effect_key in self.done:
            return self.done[effect_key]
        self.messages.append(message)
        self.keys.append(effect_key)
        self.options.append(options)
        number = len(self.messages)
        delivered = self.answers.pop(0) if self.answers else Delivered(
            "succeeded", number, f"id-{number}")
        if delivered.state == "succeeded":
            self.done[effect_key] = Delivered("succeeded", number, delivered.provider_message_id,
                                              duplicate=True)
        return delivered

    def perform(self, effect_key: str, *, call: Any, **options: Any) -> Delivered:
        self.keys.append(effect_key)
        self.options.append(options)
        result = call(effect_key)
        self.results.append(result)
        return Delivered(result.status, 1, error=result.error, error_code=result.error_code,
                         retryable=result.retryable, retry_after=result.retry_after)

    @property
    def texts(self) -> list[str | None]:
        return [message.text for message in self.messages]


@pytest.fixture
def outbox():
    return Outbox()


@pytest.fixture
def instance(db):
    return make_instance("shop")


@pytest.fixture
def context(instance, outbox):
    return Context(instance=instance, effect_key="omni:1:steps[0]",
                   deadline=time.monotonic() + 30, deliver=outbox.send, perform=outbox.perform,
                   run_id=1, step_id="answer", workflow="text-reply")


@pytest.fixture
def ana(instance):
    contact = Contact.objects.create(name="Ana")
    Handle.objects.create(provider=instance.provider, kind="phone", value="+5511988887777",
                          contact=contact)
    return contact


@pytest.fixture
def chat(instance, ana):
    return Conversation.objects.create(instance=instance, kind="direct", contact=ana,
                                       ref="5511988887777@s.whatsapp.net")


@pytest.fixture
def group(instance):
    return Conversation.objects.create(instance=instance, kind="group", title="Team",
                                       ref="120363041234567890@g.us")


@pytest.fixture
def say(instance, ana, chat):
    """Makes an event in Ana's chat, or where the fields say."""

    def make(text: str | None = "hello", **fields: Any) -> Event:
        place = fields.setdefault("conversation", chat)
        return make_event(instance, **{
            "text": text, "contact": ana, "sender_name": "Ana",
            "contact_handle": "+5511988887777",
            "provider_actor_ref": "5511988887777@s.whatsapp.net",
            "conversation_ref": place.ref if place else "", **fields})

    return make


@pytest.fixture
def signals(monkeypatch):
    """Presence marks in the order they were shown, instead of the provider's."""
    shown: list[str] = []
    monkeypatch.setattr("actions.presence._shown", Recent(10))
    monkeypatch.setattr("events.outbox.deliver.signal",
                        lambda message, *, instance: shown.append(message.content["state"]))
    return shown


def peer_agent(kind: str, httpserver: Any, **fields: Any):
    from actions.models import Agent

    return Agent.objects.create(**{
        "slug": kind, "name": kind, "kind": kind, "base_url": httpserver.url_for("").rstrip("/"),
        "credentials": {"api_key": "sk-canary"}, "timeout": 5.0, **fields})


@pytest.fixture
def make_agent(db, httpserver):
    """Makes an agent of a kind whose peer is the loopback server."""
    return lambda kind, **fields: peer_agent(kind, httpserver, **fields)


@pytest.fixture
def ask(say, instance, ana):
    """A question to an agent about one event."""
    from actions.agents.question import Question

    def make(agent: Any, text: str = "hello", **fields: Any) -> Question:
        event = fields.pop("event", None) or say(text)
        return Question(**{
            "agent": agent, "instance": instance, "event": event, "text": f"[Ana]: {text}",
            "plain": text, "session": "shop_5511988887777", "timeout": 5.0, "contact": ana,
            "reference": "omni:1:steps[0]:agent", **fields})

    return make


@pytest.fixture
def slowly():
    """A peer's handler that answers only when the test is over."""
    import threading

    from werkzeug import Response

    over = threading.Event()

    def handler(request: Any) -> Response:
        over.wait(10)
        return Response("late")

    yield handler
    over.set()


@pytest.fixture
def attach(say, settings, tmp_path):
    """Gives an event a file whose bytes are stored, or are not (`data=None`); returns `media`."""
    from events.store import media

    settings.MEDIA_ROOT = tmp_path / "media"

    def make(data: bytes | None, *, event: Any = None, **fields: Any) -> dict[str, Any]:
        fields = {"kind": "audio", "mime": "audio/ogg; codecs=opus", "position": 0, **fields}
        row = (event or say(None, event_type="message.audio", media_kind=fields["kind"])
               ).attachments.create(**fields)
        if data is not None:
            row.storage_key, row.state = media._keep(data), "stored"
            row.save()
        return {"id": row.pk, "kind": row.kind, "mime": row.mime, "duration_s": None}

    return make
