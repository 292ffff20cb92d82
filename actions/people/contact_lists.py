"""The stored lists of people, and the names an event's people go by."""

from collections.abc import Collection

from django.db import connection

from actions.models import ContactList, ContactListEntry
from actions.people import access_rules
from actions.people.access_rules import Rule
from events.models import Contact, ConversationAlias, Event
from omni.errors import InvalidParams

_ENTRIES = """
SELECT l.purpose, e.pattern
FROM omni_contact_lists l JOIN omni_contact_list_entries e ON e.contact_list_id = l.id
WHERE l.enabled AND (l.instance_id = %s OR l.instance_id IS NULL) AND l.purpose = ANY(%s)
"""
_MERGES = 8  # merges followed; two contacts merged into each other must not turn for ever


def person_of(event: Event) -> Contact | None:
    """The person on the other side; of a merged contact, the one that was kept."""
    contact = event.contact
    for _ in range(_MERGES):
        if contact is None or contact.merged_into is None:
            break
        contact = contact.merged_into
    return contact


def names_of(event: Event) -> frozenset[str]:
    """Every spelling of who this event is with: sender, counterpart and the place itself.

    The place counts because a group is allowed or blocked by its id; a chat with one person counts
    under every name it has.
    """
    handles = [event.contact_handle, event.provider_actor_ref, event.conversation_ref]
    place = event.conversation
    if place is not None and place.kind == "direct":
        handles += [place.ref, *ConversationAlias.objects.filter(
            conversation=place.kept_id).values_list("ref", flat=True)]
    person = person_of(event)
    if person is not None:
        handles += person.handles_shown.values_list("value", flat=True)
    return access_rules.names_of(handles)


def rules_in_force(instance_id: int, *, purposes: Collection[str] = (),
                   lists: Collection[str] = ()) -> dict[str, list[Rule]]:
    """Rules of the instance and the global ones: {purpose: rules}.

    lists: names; when given, just those, whatever their purpose.
    Raises InvalidParams for a name that is not in force at the instance.
    """
    if lists:
        in_force = ContactList.objects.in_force_at(instance_id).filter(name__in=lists)
        _check_names(lists, set(in_force.values_list("name", flat=True)))
        entries = ContactListEntry.objects.filter(contact_list__in=in_force).values_list(
            "contact_list__purpose", "pattern")
    else:
        entries = _entries(instance_id, purposes)
    found: dict[str, list[Rule]] = {}
    for purpose, pattern in entries:
        found.setdefault(purpose, []).append(access_rules.parse(pattern))
    return found


def _entries(instance_id: int, purposes: Collection[str]) -> list[tuple[str, str]]:
    """(purpose, pattern) of every entry in force; every message asks this, so it is plain SQL."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, [instance_id, list(purposes)])
        return cursor.fetchall()


def all_rules(found: dict[str, list[Rule]], inline: Collection[str]) -> list[Rule]:
    """The rules of every purpose, and those written into the step."""
    stored = [rule for rules in found.values() for rule in rules]
    return stored + [access_rules.parse(pattern) for pattern in inline]


def labelled(event: Event, label: str) -> str:
    """Where an event's person gets `label` from: `contact`, `list <name>`, or "" for nowhere."""
    person = person_of(event)
    if person is not None and label in (person.shown or person).labels:
        return "contact"
    lists = ContactList.objects.in_force_at(event.instance_id).filter(purpose="label")
    entries = ContactListEntry.objects.filter(contact_list__in=lists).values_list(
        "contact_list__name", "contact_list__label", "pattern")
    names = names_of(event)
    for name, text, pattern in entries:
        if label in (name, text) and access_rules.parse(pattern).fits(names):
            return f"list {name}"
    return ""


def _check_names(wanted: Collection[str], known: set[str]) -> None:
    missing = sorted(set(wanted) - known)
    if missing:
        raise InvalidParams(
            f"no enabled contact list named {', '.join(missing)} here; make it under Contact "
            "lists, for this instance or for all", details={"lists": "unknown list"})
