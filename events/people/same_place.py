"""Two conversations are one place: the younger points to the older one, and back again.

Only `merged_into` and the aliases are written; events keep the row they were stored with, and
readers take every row of a place (`Event.objects.of_conversation`). A row that others were merged
into is never merged itself, so nothing has to be followed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from connections.envelope import EventDraft
from events.models import Conversation, ConversationAlias
from omni import audit

MERGED = "system.conversation.merged"
SPLIT = "system.conversation.split"
_LOCK = 7_311_950  # advisory lock: one transaction at a time joins or splits places of an instance


@dataclass(frozen=True, slots=True)
class PlaceJoin:
    """Two rows of one instance that are one place from now on."""

    kept: Conversation
    merged: Conversation

    def note(self) -> None:
        audit.note("system", "conversation.merged", f"conversation:{self.merged.pk}",
                   into=self.kept.pk)

    def event(self, because: dict[str, Any], *, event_type: str = MERGED) -> EventDraft:
        """The internal event that says so. because: what it was read from, JSON-ready."""
        return EventDraft(
            event_type=event_type, provider_event_type=event_type, direction="internal",
            dedup_key=f"{event_type}:{self.merged.pk}:{self.kept.pk}:{because['dedup_key']}",
            auto_generated=True, conversation_ref=self.kept.ref,
            normalizer="omni.same_place@1", content={
                "kept": {"id": self.kept.pk, "ref": self.kept.ref},
                "merged": {"id": self.merged.pk, "ref": self.merged.ref}, "because": because})


def hold(instance_ids: Iterable[int]) -> None:
    """Until the transaction ends nobody else joins or splits places of these instances."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, n) FROM unnest(%s::int[]) AS n",
                       [_LOCK, [number % 2 ** 31 for number in sorted(set(instance_ids))]])


def join(ids: Iterable[int], *, into: int | None = None) -> list[PlaceJoin]:
    """Merge the places of these rows into the oldest one, or `into` another that is kept; the
    caller holds their instance.

    Left apart are those a person split.
    """
    kept, *others = sorted({row.kept_id for row in Conversation.objects.filter(pk__in=list(ids))},
                           key=lambda number: (number != into, number))
    joins = []
    for other in others:
        if not _are_apart(kept, other):
            joins.append(_move(other, kept))
    return joins


def _rows(kept_id: int) -> list[Conversation]:
    return list(Conversation.objects.filter(Q(pk=kept_id) | Q(merged_into=kept_id)))


def _are_apart(one: int, other: int) -> bool:
    theirs = {row.pk for row in _rows(other)}
    return any(theirs.intersection(row.kept_apart) for row in _rows(one))


def _move(merged_id: int, kept_id: int) -> PlaceJoin:
    """Point the younger row, what was merged into it and its names to the older one."""
    rows = Conversation.objects.select_for_update().order_by("pk").in_bulk([merged_id, kept_id])
    kept, merged = rows[kept_id], rows[merged_id]
    ConversationAlias.objects.filter(conversation=merged).update(
        merged_from=Coalesce("merged_from", "conversation"), conversation=kept)
    ConversationAlias.objects.update_or_create(
        instance_id=merged.instance_id, ref=merged.ref,
        defaults={"conversation": kept, "merged_from": merged})
    Conversation.objects.filter(Q(pk=merged_id) | Q(merged_into=merged_id)).update(
        merged_into=kept)
    kept.kind, kept.title = kept.kind or merged.kind, kept.title or merged.title
    kept.tags = [*kept.tags, *(tag for tag in merged.tags if tag not in kept.tags)]
    kept.contact_id = kept.contact_id or merged.contact_id
    kept.save(update_fields=["kind", "title", "tags", "contact"])
    return PlaceJoin(kept, merged)


def split(conversation: Conversation) -> PlaceJoin | None:
    """Give a merged row its names back; None when it is not merged. The caller holds its instance.

    Rows that were merged into it earlier stay with the older one. Neither is merged with the other
    by an event again; events stored in between stay with the row they were stored with.
    """
    conversation.refresh_from_db(from_queryset=Conversation.objects.select_for_update())
    kept = conversation.merged_into
    if kept is None:
        return None
    own = ConversationAlias.objects.filter(merged_from=conversation)
    own.filter(ref=conversation.ref).delete()
    own.update(conversation=F("merged_from"), merged_from=None)
    conversation.merged_into = None
    for row, other in ((conversation, kept), (kept, conversation)):
        row.kept_apart = sorted({*row.kept_apart, other.pk})
        row.save(update_fields=["merged_into", "kept_apart"])
    return PlaceJoin(kept, conversation)


def take_away(ref: str, conversation: Conversation) -> PlaceJoin | None:
    """Give a place's other name a conversation of its own; None when it has no such name. The
    caller holds the instance.

    Neither is merged with the other by an event again. A name that is that of a merged row is
    given back with it (`split`).
    """
    alias = ConversationAlias.objects.filter(conversation=conversation, ref=ref).first()
    if alias is None:
        return None
    former = alias.merged_from
    if former is not None and former.ref == ref:
        return split(former)
    alias.delete()
    apart = [conversation, *([former] if former is not None else [])]
    own, _ = Conversation.objects.get_or_create(
        instance_id=conversation.instance_id, ref=ref, defaults={"kind": conversation.kind})
    own.kept_apart = sorted({*own.kept_apart, *(row.pk for row in apart)})
    own.save(update_fields=["kept_apart"])
    for row in apart:
        row.kept_apart = sorted({*row.kept_apart, own.pk})
        row.save(update_fields=["kept_apart"])
    return PlaceJoin(conversation, own)
