"""The stored lists of people, and the names an event's people go by."""

from collections.abc import Collection, Iterable

from actions.people import access_rules, lists_in_force
from actions.people.access_rules import Rule
from actions.people.lists_in_force import ListInForce
from events.models import Contact, ConversationAlias, Event
from omni.errors import InvalidParams

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


class Rules:
    """The entries of some lists, and patterns that stand elsewhere."""

    def __init__(self, lists: Iterable[ListInForce] = (), inline: Iterable[str] = ()) -> None:
        self.lists = [one for one in lists if one.count]
        self._inline = [access_rules.parse(pattern) for pattern in inline]

    def __bool__(self) -> bool:
        return bool(self.lists or self._inline)

    def fitting(self, names: frozenset[str]) -> list[Rule]:
        """Those that fit one of the names."""
        return [*(rule for one in self.lists for rule in one.index.fitting(names)),
                *(rule for rule in self._inline if rule.fits(names))]


def rules_in_force(instance_id: int, *, purposes: Collection[str] = (),
                   lists: Collection[str] = ()) -> dict[str, Rules]:
    """Rules of the instance and the global ones: {purpose: rules}.

    lists: names; when given, just those, whatever their purpose.
    Raises InvalidParams for a name that is not in force at the instance.
    """
    in_force = lists_in_force.at(instance_id)
    if lists:
        _check_names(lists, {one.name for one in in_force})
        in_force = [one for one in in_force if one.name in lists]
    else:
        in_force = [one for one in in_force if one.purpose in purposes]
    return {purpose: Rules(one for one in in_force if one.purpose == purpose)
            for purpose in {one.purpose for one in in_force}}


def all_rules(found: dict[str, Rules], inline: Collection[str]) -> Rules:
    """The rules of every purpose, and those written into the step."""
    return Rules((one for rules in found.values() for one in rules.lists), inline)


def labelled(event: Event, label: str) -> str:
    """Where an event's person gets `label` from: `contact`, `list <name>`, or "" for nowhere."""
    person = person_of(event)
    if person is not None and label in (person.shown or person).labels:
        return "contact"
    lists = [one for one in lists_in_force.at(event.instance_id)
             if one.purpose == "label" and label in (one.name, one.label) and one.count]
    names = names_of(event) if lists else frozenset()
    return next((f"list {one.name}" for one in lists if any(one.index.fitting(names))), "")


def holding(handles: Collection[str], instance_id: int) -> list[str]:
    """Names of the lists in force here that hold one of these handles as written."""
    return sorted({one.name for one in lists_in_force.at(instance_id) if one.count
                   and any(one.index.holds(handle) for handle in handles)})


def _check_names(wanted: Collection[str], known: set[str]) -> None:
    missing = sorted(set(wanted) - known)
    if missing:
        raise InvalidParams(
            f"no enabled contact list named {', '.join(missing)} here; make it under Contact "
            "lists, for this instance or for all", details={"lists": "unknown list"})
