"""What expressions see of an event and a run: plain values, read from the database when asked for.

The names are those of `registry.expressions.names`; a test holds the two together.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from actions.people import contact_lists
from connections.models import Instance
from connections.secrets.store import Vault
from events.models import Attachment, Contact, Conversation, Event
from registry.expressions.lazy import Lazy
from registry.models import Run

_EVENT_FIELDS = tuple(field.attname for field in Event._meta.concrete_fields)
LISTED_ATTACHMENTS = 20


def of_event(event: Event, *, inputs: Mapping[str, Any] | None = None) -> Lazy:
    """The roots a trigger can read: event, conversation, contact, instance, inputs, now."""
    return Lazy({
        "event": lambda: event_view(event),
        "conversation": lambda: _conversation(event.conversation, event),
        "contact": lambda: contact_view(event.contact, event.instance_id),
        "instance": lambda: _instance(event.instance),
        "now": timezone.now,
    }, inputs=dict(inputs or {}))


def of_run(run: Run, *, burst: Sequence[Event] = (), attempt: int = 1,
           dry_run: bool = False) -> Lazy:
    """The roots its steps can read; `vars` is filled by the caller, `now` is the run's beginning.

    burst: its events, as `bursts.read` gives them; without it the event alone.
    """
    values = of_event(run.event, inputs=run.inputs)
    if burst:
        values["event"] = event_view(run.event, burst=lambda: burst)
    values["steps"], values["vars"] = {}, {}
    values["secrets"] = Vault(run.instance_id)
    values["run"] = {"id": run.pk, "workflow": run.workflow.slug, "attempt": attempt,
                     "version": run.version.number, "replay": run.replay_no,
                     "started_at": run.started_at, "dry_run": dry_run}
    values["now"] = run.started_at or timezone.now()  # the same on every walk
    return values


def event_view(event: Event, *, burst: Callable[[], Sequence[Event]] | None = None) -> Lazy:
    """Every column by its name, the attachments, and what is derived from them.

    burst: gives the events of its burst, oldest first; it is asked once, when they are read.
    """
    found: Sequence[Event] = ()

    def events() -> Sequence[Event]:
        nonlocal found
        found = found or (burst() if burst is not None else [event])
        return found

    files: list[dict[str, Any]] | None = None

    def attachments() -> list[dict[str, Any]]:
        nonlocal files
        if files is None:
            rows = event.attachments.all()[:LISTED_ATTACHMENTS] if event.media_kind else []
            files = [_attachment(row) for row in rows]
        return files

    return Lazy({"attachments": attachments,
                 "media": lambda: attachments()[0] if attachments() else None,
                 "batch": lambda: [event_view(one) for one in events()],
                 "batch_text": lambda: _joined(events())},
                **{name: getattr(event, name) for name in _EVENT_FIELDS},
                sent_by_omni=event.sent_by_omni)


def _joined(events: Sequence[Event]) -> str | None:
    texts = [event.text for event in events if event.text]
    return "\n".join(texts) if texts else None


def _attachment(row: Attachment) -> dict[str, Any]:
    return {"id": row.pk, "position": row.position, "kind": row.kind, "mime": row.mime,
            "filename": row.filename, "size": row.size_bytes, "width": row.width,
            "height": row.height, "caption": row.caption, "state": row.state,
            "sha256": row.sha256, "is_voice_note": row.is_voice_note,
            "is_animated": row.is_animated,
            "duration_s": None if row.duration_ms is None else row.duration_ms / 1000}


def _conversation(conversation: Conversation | None, event: Event) -> dict[str, Any]:
    if conversation is None:
        return {"ref": event.conversation_ref, "tags": [], "is_group": False,
                "is_self_chat": False}
    return {"id": conversation.pk, "ref": conversation.ref, "kind": conversation.kind,
            "title": conversation.title, "tags": conversation.tags,
            "is_group": conversation.kind in ("group", "channel", "thread", "list"),
            "is_self_chat": conversation.kind == "self"}


def contact_view(contact: Contact | None, instance_id: int) -> Lazy:
    """A person as an instance knows them: with the lists that are in force there.

    One that is shown to somebody limited (`known_by.show`) holds what they may see of it.
    """
    if contact is None:
        return Lazy({}, labels=[], lists=[], handles=[])
    shown = contact.shown or contact
    handles: list[str] = []

    def values() -> list[str]:
        if not handles:
            handles.extend(contact.handles_shown.values_list("value", flat=True))
        return handles

    return Lazy({"handles": values, "lists": lambda: contact_lists.holding(values(), instance_id)},
                id=contact.pk, name=shown.name, labels=shown.labels)


def _instance(instance: Instance) -> dict[str, Any]:
    return {"id": instance.pk, "slug": instance.slug, "name": instance.name,
            "provider": instance.provider, "labels": instance.labels}
