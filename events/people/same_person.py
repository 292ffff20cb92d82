"""Two contacts are one person: the younger follows the older one with its handles, and back again.

Events keep the contact they were stored with; readers take every row of a person
(`Contact.objects.same_as`). A kept contact is never merged itself, so nothing has to be followed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Coalesce

from connections.envelope import EventDraft
from connections.names import is_real
from events.models import Contact, Handle
from events.people import known_by
from omni import audit
from omni.errors import InvalidInput

MERGED = "system.contact.merged"
_LOCK = 7_311_951  # advisory lock: one transaction at a time joins or separates people


@dataclass(frozen=True, slots=True)
class PeopleJoin:
    """kept, merged: ids of contacts. handles: ids of those that moved."""

    kept: int
    merged: int
    handles: list[int]

    def note(self, actor: str = "system") -> None:
        audit.note(actor, "contact.merged", f"contact:{self.merged}", into=self.kept,
                   handles=self.handles)

    def event(self, because: dict[str, Any]) -> EventDraft:
        """The internal event that says so. because: what it was read from, JSON-ready."""
        return EventDraft(
            event_type=MERGED, provider_event_type=MERGED, direction="internal",
            dedup_key=f"{MERGED}:{self.merged}:{self.kept}:{because['dedup_key']}",
            auto_generated=True, normalizer="omni.same_person@1",
            content={"kept": self.kept, "merged": self.merged, "because": because})


def hold() -> None:
    """Until the transaction ends nobody else joins or separates people."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def join(contact_ids: Iterable[int], *, instance_id: int) -> list[PeopleJoin]:
    """Merge contacts that one event of an instance named together into the oldest of them.

    Left apart are those a person separated, and two that are both known at other instances: what
    one account says must not make two people of another account one.
    """
    hold()
    rows = Contact.objects.filter(pk__in=list(contact_ids))
    kept, *others = sorted({row.merged_into_id or row.pk for row in rows}) or [0]
    elsewhere = set(Handle.instances.through.objects.filter(
        handle__contact_id__in=[kept, *others]).exclude(instance_id=instance_id).values_list(
        "handle__contact_id", flat=True)) if others else set()
    joins = []
    for other in others:
        if {kept, other} <= elsewhere or _are_apart(kept, other):
            continue
        joins.append(_move(other, kept))
        if other in elsewhere:
            elsewhere.add(kept)
    return joins


def merge(contact: Contact, into: Contact, *, actor: str) -> None:
    """Say that two contacts are one person; `separate` undoes it.

    Raises InvalidInput for contacts of two people groups.
    """
    if contact.people_group != into.people_group:
        raise InvalidInput(f"contacts {contact.pk} and {into.pk} belong to different people groups",
                           code="other_group")
    with transaction.atomic():
        hold()
        merged, kept = _kept_id(contact), _kept_id(into)
        if merged == kept:
            return
        ours, theirs = _ids(kept), _ids(merged)
        for row in Contact.objects.filter(pk__in=[*ours, *theirs]).exclude(kept_apart=[]):
            apart = theirs if row.pk in ours else ours
            row.kept_apart = [other for other in row.kept_apart if other not in apart]
            row.save(update_fields=["kept_apart"])
        _move(merged, kept).note(actor)


def separate(contact: Contact, *, actor: str, handles: list[int] | None = None) -> None:
    """Undo a merge: give `contact` its handles back, those it had before or the listed ones.

    The two are not merged by an event again. Labels and attributes they share by now stay at both.
    """
    with transaction.atomic():
        hold()
        contact.refresh_from_db(fields=["merged_into", "kept_apart"])
        kept = contact.merged_into_id
        rows = (Handle.objects.filter(merged_from=contact) if handles is None
                else Handle.objects.filter(pk__in=handles))
        handles = list(rows.values_list("pk", flat=True))
        rows.filter(pk__in=handles).update(contact=contact, merged_from=None, linked_by="person")
        for one, other in ((contact.pk, kept), (kept, contact.pk)):
            if one is not None and other is not None:
                row = Contact.objects.get(pk=one)
                row.kept_apart = sorted({*row.kept_apart, other})
                row.save(update_fields=["kept_apart"])
        Contact.objects.filter(pk=contact.pk).update(merged_into=None)
        audit.note(actor, "contact.separated", f"contact:{contact.pk}", handles=handles)


def _kept_id(contact: Contact) -> int:
    row = Contact.objects.get(pk=contact.pk)
    return row.merged_into_id or row.pk


def _ids(contact_id: int) -> set[int]:
    return set(Contact.objects.same_as(contact_id).values_list("pk", flat=True))


def _are_apart(one: int, other: int) -> bool:
    theirs = _ids(other)
    return any(theirs.intersection(row.kept_apart) for row in Contact.objects.same_as(one))


def _move(merged: int, kept: int) -> PeopleJoin:
    """Let the handles and whoever was merged into `merged` follow it into `kept`."""
    rows = Handle.objects.filter(contact_id=merged)
    handles = list(rows.values_list("pk", flat=True))
    rows.update(merged_from=Coalesce("merged_from", "contact"), contact_id=kept, linked_by="merge")
    Contact.objects.same_as(merged).update(merged_into=kept)
    older, younger = Contact.objects.get(pk=kept), Contact.objects.get(pk=merged)
    older.known_by = known_by.both(older.known_by, younger.known_by)
    if (younger.name_by_hand > older.name_by_hand or not is_real(older.name)) and younger.name:
        older.name = younger.name
        older.known_by = known_by.both(younger.known_by, older.known_by)
        older.name_by_hand = older.name_by_hand or younger.name_by_hand
    older.labels = [*older.labels, *(one for one in younger.labels if one not in older.labels)]
    older.attributes = {**younger.attributes, **older.attributes}
    older.save(update_fields=["name", "name_by_hand", "labels", "attributes", "known_by"])
    return PeopleJoin(kept, merged, handles)
