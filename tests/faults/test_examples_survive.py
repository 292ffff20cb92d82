"""kill -9 of a worker at every step boundary of every worked example: the same end, once.

For each example: one life without a death says what must come out. Then as many lives as there are
places to die: a worker is killed at the n-th time it reaches the place, another takes over, and
end, outcomes and everything that went out must be the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from actions.library import actions
from actions.models import Agent, ContactList, Memory, Task
from connections.library import adapters
from events.models import Contact, Conversation, Event, EventAction, Handle
from events.store import media
from registry.engine.route import matching
from registry.engine.starts import manual
from registry.engine.waits import approvals
from registry.models import Approval, Run, Workflow
from tests.factories import make_event, make_evolution, make_instance, switch_on
from tests.faults.peer import Peer
from tests.faults.workers import Clockwork, end_leases, turn

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
EXAMPLES = Path(__file__).parents[1] / "registry" / "examples"
PLACES = ("route.precommit", "route.committed", "run.claimed", "step.start", "advance.precommit",
          "outcome.precommit", "outcome.committed", "suspend.precommit", "suspend.committed")
TURNS = 40


@dataclass
class Stage:
    """Where the lives of one example are played. number: of the life, and of its person."""

    peer: Peer
    clock: Clockwork
    shop: Any
    workflow: Workflow
    number: int = 0

    def place(self, **fields: Any) -> dict[str, Any]:
        """A person and a conversation nobody had before, as fields of an event."""
        ref = f"3519{self.number:08d}@s.whatsapp.net"
        contact = Contact.objects.create(name="Ana", labels=fields.pop("labels", []))
        actor = Handle.objects.create(provider=self.shop.provider, kind="jid", value=ref,
                                      contact=contact)
        conversation = Conversation.objects.create(
            instance=self.shop, ref=ref, kind=fields.pop("place", "direct"),
            tags=fields.pop("tags", []))
        return {"conversation": conversation, "conversation_ref": ref, "contact": contact,
                "contact_handle": ref, "provider_actor_ref": ref, "actor": actor,
                "sender_name": "Ana", "direction": "inbound", "routed_at": None,
                "provider_message_id": f"IN{self.number}", "text": "hello", **fields}

    def event(self, **fields: Any) -> Event:
        return make_event(self.shop, **self.place(**fields))

    def file(self, kind: str, data: bytes, **fields: Any) -> Event:
        """A message with a file whose bytes are here; routed when all of it is stored."""
        event = self.event(media_kind=kind, event_type=f"message.{kind}", text=None,
                           **{"state": "stored", **fields})
        mime = {"audio": "audio/ogg", "image": "image/png"}[kind]
        event.attachments.create(kind=kind, mime=mime, duration_ms=3000, state="stored",
                                 storage_key=media._keep(data))
        return event

    def vote(self) -> Event:
        poll = f"POLL{self.number}"
        place = self.place()
        make_event(self.shop, **{**place, "event_type": "message.poll", "text": "Where?",
                                 "provider_message_id": poll, "content": {"poll": {
                                     "name": "Where?", "options": ["Here", "There"]}}})
        return make_event(self.shop, **{
            **place, "event_type": "poll.vote", "relation": "votes_on", "text": None,
            "provider_message_id": None, "target_message_id": poll,
            "content": {"options": ["Here"]}})

    def broadcast(self) -> Event:
        return manual.start(self.workflow, instance=self.shop, actor="test", inputs={
            "audience": "fans", "text": "News"})


STARTS: dict[str, Callable[[Stage], Event]] = {
    "ignore-self": lambda stage: stage.event(from_me=True, direction="outbound"),
    "reply-direct-text": lambda stage: stage.event(),
    "forwarded-audio": lambda stage: stage.file("audio", b"OggS invented", is_forwarded=True),
    "view-once-image": lambda stage: stage.file("image", b"\x89PNG\r\n\x1a\n...",
                                                is_view_once=True),
    "self-chat-assistant": lambda stage: stage.event(place="self"),
    "partner-exception": lambda stage: stage.event(labels=["partner"]),
    "vip-approval": lambda stage: stage.event(labels=["vip"]),
    "poll-summary": Stage.vote,
    "broadcast": Stage.broadcast,
    "follow-up-24h": lambda stage: stage.event(direction="outbound", tags=["awaiting-reply"]),
}


@pytest.fixture
def world(settings, tmp_path):
    """A peer for everything outside, and the clock of the test database."""
    peer, clock = Peer(seconds=0.0), Clockwork()
    adapters(), actions()  # every worker would look for them anew
    peer.says = '{"choice": "normal", "confidence": 0.9, "reason": "calm"}'
    settings.MEDIA_ROOT = tmp_path
    settings.OMNI_LLM_BASE_URL = settings.OMNI_STT_BASE_URL = f"{peer.url}/v1"
    settings.OMNI_LLM_MODEL = settings.OMNI_STT_MODEL = "model"
    settings.OMNI_SLACK_API_URL, settings.OMNI_SLACK_BOT_TOKEN = f"{peer.url}/slack", "token"
    settings.OMNI_SENDS_PER_PERSON = settings.OMNI_REPLIES_PER_MINUTE = 0
    yield peer, clock
    clock.set(0)
    peer.close()


@pytest.mark.parametrize("name", list(STARTS))
def test_example_comes_to_the_same_end_wherever_its_worker_dies(world, name):
    peer, clock = world
    stage = Stage(peer, clock, make_evolution("shop", base_url=peer.url),
                  switch_on((EXAMPLES / f"{name}.yaml").read_text()))
    Agent.objects.create(slug="default", kind="http", base_url=f"{peer.url}/agent")
    fans = ContactList.objects.create(name="fans")
    for number in range(3):
        fans.entries.create(pattern=f"35191100000{number}")
    died, expected = live(stage)
    assert not died and expected["state"] in ("done", "ignored"), expected

    deaths = 0
    for place in PLACES:
        for number in range(1, 100):
            died, came_to = live(stage, f"{place}:kill:{number}")
            assert came_to == expected, f"killed at {place}, time {number}"
            if not died:
                break
            deaths += 1

    assert deaths >= 2  # one that ends where it is routed has no more places to die in
    assert not Event.objects.filter(event_type="system.run.dead").exists()


def live(stage: Stage, failpoint: str = "") -> tuple[bool, dict[str, Any]]:
    """One life from its event to its end: whether a worker was killed, and what came of it."""
    stage.number += 1
    sent, posted = len(stage.peer.sent), len(stage.peer.posted)
    event = STARTS[stage.workflow.slug](stage)
    matching.table().candidates(event)  # compiled here, not by every worker anew
    died = False
    for _ in range(TURNS):
        if turn(failpoint="" if died else failpoint):
            died = True
            end_leases()
            continue
        run = Run.objects.get(event=event)
        if run.state not in ("queued", "running", "waiting"):
            break
        go_on(stage, run)
    else:
        pytest.fail(f"run {run.pk} did not end: {run.state} at {run.step_path}")
    return died, {
        "state": run.state, "code": run.code,
        "outcomes": list(EventAction.objects.filter(run_id=run.pk, final=True).order_by(
            "path", "iteration").values_list("path", "iteration", "status")),
        "sent": sorted((body["number"].replace(event.conversation_ref or "-", "PERSON"),
                        body["text"]) for body in stage.peer.sent[sent:]),
        "posted": [body["text"] for body in stage.peer.posted[posted:]],
        "tasks": Task.objects.filter(run_id=run.pk).count(),
        "memories": Memory.objects.filter(run_id=run.pk).count(),
        "derived": Event.objects.filter(event_type__startswith="system.derived.",
                                        content__of=event.pk).count(),
        "approvals": Approval.objects.filter(run=run).count()}


def go_on(stage: Stage, run: Run) -> None:
    """What a run waits for comes: a person's answer, or its time."""
    open_ones = Approval.objects.filter(run=run, state="open")
    if open_ones:
        approvals.answer(open_ones.get(), "approve", actor="user:ana")
    elif run.state == "waiting" or run.available_at:
        stage.clock.move_to(run.available_at)
    connection.commit()


def test_everything_else_makes_no_run(world):
    """The stage itself wakes nothing: an event nobody listens for."""
    make_event(make_instance("other"), routed_at=None)

    assert turn() is False and not Run.objects.exists()
