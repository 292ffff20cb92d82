"""An archived delivery through its adapter again, with today's mapping.

Dry by default: shows what would come out. For real: new and changed events are stored, known ones
stay; whether they may wake workflows is asked for on purpose (allow_effects).
"""

from dataclasses import dataclass, field

from connections.envelope import EventDraft
from connections.models import Instance
from events.models import Event, RawPayload
from events.store import derive, ingest, notify
from events.store.archive import as_delivery
from events.store.normalize import understand
from events.store.units import Unit


@dataclass(slots=True)
class Replayed:
    """What a replay came to. changed: drafts whose content differs from the stored event.

    stored: ids of events this replay added; error: why nothing came out.
    """

    drafts: list[EventDraft] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    error: str = ""


def replay(raw: RawPayload, *, dry_run: bool = True, allow_effects: bool = False) -> Replayed:
    """Map an archived delivery again; with dry_run False also store what is new.

    allow_effects: let the new events wake workflows. Without it they are marked as not routed.
    A delivery whose archive was redacted is mapped from what was kept.
    """
    instance = Instance.objects.get(pk=raw.instance_id)
    understood = understand(as_delivery(raw), adapter=instance.adapter, account=instance.account())
    result = Replayed(drafts=understood.drafts, error=understood.reason and
                      f"{understood.reason}: {understood.detail}")
    keys = [draft.dedup_key for draft in understood.drafts]
    known = dict(Event.objects.filter(instance=instance, dedup_key__in=keys)
                 .values_list("dedup_key", "fingerprint"))
    for draft in understood.drafts:
        if draft.dedup_key not in known:
            result.new.append(draft.dedup_key)
        elif known[draft.dedup_key] != draft.fingerprint():
            result.changed.append(draft.dedup_key)
    if dry_run or not understood.drafts:
        return result
    for draft in understood.drafts:
        draft.source = "replay" if draft.source == "live" else draft.source
    unit = Unit(instance_id=instance.pk, provider=raw.provider, drafts=understood.drafts,
                       received_at=raw.received_at, routed=not allow_effects)
    stored = ingest.persist([unit])[0]
    events = Event.objects.filter(pk__in=stored.event_ids)
    events.update(raw_id=raw.pk)
    if not allow_effects:  # the router, which else does it, never sees them
        derive.settle(derive.derive(events))
    _settle_dead_letter(raw, stored.event_ids)
    if allow_effects and stored.event_ids:
        notify.notifier.send(notify.EVENTS)
    result.stored = stored.event_ids
    return result


def _settle_dead_letter(raw: RawPayload, event_ids: list[int]) -> None:
    """A dead letter that became events is one no more."""
    if event_ids and raw.quarantine_reason:
        RawPayload.objects.filter(pk=raw.pk, received_at=raw.received_at).update(
            quarantine_reason="", event_count=len(event_ids),
            quarantine_detail=f"replayed; was {raw.quarantine_reason}")


