"""Events for trials: stored ones as they are, and unsaved ones built from the fields of a fixture.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connections.models import Instance
from events.models import Attachment, Contact, Conversation, Event
from omni.errors import InvalidInput
from omni.yaml.marks import Document
from registry.engine.route import bursts
from registry.engine.run import scope
from registry.expressions.lazy import Lazy
from registry.expressions.values import to_time
from registry.language import fixtures, grammar
from registry.language.structure import WorkflowReader

UNSAVED = 9_000_000_000  # id of rows that are not there; longer than any `recipients` looks up
_COLUMNS = frozenset(field.name for field in Event._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class Staged:
    """An event a trial is about. people: what `contact` holds when no row does."""

    event: Event
    people: Mapping[str, Any] | None = None
    batch: Sequence[int] = field(default=())

    @property
    def is_stored(self) -> bool:
        return self.event.pk != UNSAVED

    def roots(self, *, now: datetime, inputs: Mapping[str, Any]) -> Lazy:
        """What triggers and steps can read of it at this time."""
        values = scope.of_event(self.event, inputs=inputs)
        values["now"] = now
        if self.batch:
            values["event"] = scope.event_view(
                self.event, burst=lambda: bursts.read(self.batch, known=self.event)
                or [self.event])
        if self.people is not None:
            values["contact"] = Lazy({}, **self.people)
        return values

    def address(self, to: str) -> str:
        """The id of a conversation that is not stored stands for its ref."""
        if not self.is_stored and to == str(UNSAVED):
            return self.event.conversation_ref
        return to


def stored(event_id: int) -> Staged:
    """A stored event. Raises InvalidInput when there is none."""
    event = Event.objects.select_related(
        "instance", "conversation__merged_into", "contact__merged_into").filter(
        pk=event_id).first()
    if event is None:
        raise InvalidInput(f"there is no event {event_id}", code="unknown_event")
    event.take_kept()
    return Staged(event)


def build(example: Any, *, now: datetime) -> Staged:
    """An event as the `event` of a test names it: an id, a fixture, or fields over a fixture.

    Raises InvalidInput for an event, a fixture or a field that is none.
    """
    reader = WorkflowReader(Document(example, ""))
    reader.read_example((), example, grammar.TEST["event"], "event")
    if reader.problems:
        raise InvalidInput("; ".join(problem.message for problem in reader.problems))
    if isinstance(example, int):
        return stored(example)
    if isinstance(example, str):
        example = {"fixture": example}
    change = {name: value for name, value in example.items() if name != "fixture"}
    facts = fixtures.facts_of(example.get("fixture") or "message.text")
    return _unsaved(fixtures.over(facts, change), now)


def _unsaved(facts: dict[str, Any], now: datetime) -> Staged:
    media, person = facts.pop("media", None), facts.pop("contact", None)
    place, account = facts.pop("conversation", None), facts.pop("instance", None) or {}
    files = facts.pop("attachments", None) or ([media] if media else [])
    facts["sent_by_omni"] = facts.get("sent_by_omni", False)
    if facts.pop("sent_by_omni") and not facts.get("client_ref"):
        facts["client_ref"] = "omni:0:steps[0]:0"
    columns = {name: value for name, value in facts.items() if name in _COLUMNS}
    moment = to_time(facts.get("occurred_at")) or now
    event = Event(**{
        "pk": UNSAVED, "dedup_key": "example", "trace_id": uuid.UUID(int=0),
        "media_kind": files[0].get("kind") if files else None, "normalizer": "omni.fixtures@1",
        **columns, "occurred_at": moment, "received_at": to_time(facts.get("received_at")) or now})
    event.instance = Instance(**{"pk": UNSAVED, "provider": event.provider, "slug": "example",
                                 **_only(account, ("slug", "name", "labels", "provider"))})
    if place is not None:
        event.conversation = _place(place, event)
        event.conversation_ref = event.conversation.ref
    if person is not None:
        event.contact = Contact(pk=UNSAVED, name=person.get("name", ""),
                                labels=person.get("labels", []))
    _attach(event, files)
    people = None if person is None else {"id": UNSAVED, "labels": [], "lists": [],
                                          "handles": [], "name": "", **person}
    return Staged(event, people)


def _place(place: Mapping[str, Any], event: Event) -> Conversation:
    kind = place.get("kind", "direct")
    if place.get("is_group"):
        kind = "group"
    elif place.get("is_self_chat"):
        kind = "self"
    return Conversation(pk=UNSAVED, instance=event.instance, kind=kind,
                        ref=place.get("ref") or event.conversation_ref,
                        title=place.get("title") or "", tags=place.get("tags") or [])


def _attach(event: Event, files: Sequence[Mapping[str, Any]]) -> None:
    """Files as if they had been read from the store with the event."""
    rows = []
    for position, file in enumerate(files):
        seconds = file.get("duration_s")
        rows.append(Attachment(
            pk=file.get("id", UNSAVED + position), event=event, position=position,
            size_bytes=file.get("size"),
            duration_ms=None if seconds is None else round(seconds * 1000),
            **_only(file, ("kind", "mime", "filename", "width", "height", "caption", "state",
                           "sha256", "is_voice_note", "is_animated"))))
    known = Attachment.objects.none()
    known._result_cache, known._prefetch_done = rows, True
    event._prefetched_objects_cache = {"attachments": known}


def _only(facts: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    return {name: facts[name] for name in wanted if name in facts}
