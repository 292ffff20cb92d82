"""Who belongs to an audience: contact lists, labels, tags and handles, each person once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import BigIntegerField, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from actions.models import ContactList, ContactListEntry
from actions.people import access_rules, contact_lists, phones
from actions.people.recipients import address_of
from connections.access import SYSTEM, Principal
from connections.models import Instance
from events.models import Contact, Conversation, Event, Handle
from events.people import known_by

_NO = ("withdrawn", "revoked", "denied", "opted_out", "opt_out")


@dataclass(frozen=True, slots=True)
class Member:
    """One person. contact_id: None for a handle nobody has been met under."""

    handle: str
    name: str = ""
    contact_id: int | None = None


@dataclass(slots=True)
class Audience:
    """members, in a stable order. left_out: {reason: how many}."""

    members: list[Member] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)


def gather(*, instance: Instance, lists: Iterable[str] = (), labels: Iterable[str] = (),
           tags: Iterable[str] = (), handles: Iterable[str] = (),
           viewer: Principal | None = None) -> Audience:
    """Everybody named, once: lists first, then labels, tags and handles, each in stored order.

    Left out: people the access rules block (`blocked`), who blocked us or were blocked at the
    service (`blocked_there`), who withdrew their consent (`no_consent`), and patterns with `*`
    (`pattern`), which name nobody. viewer: whose eyes labels, names and rules are read with.
    Raises InvalidParams for a list that is not in force.
    """
    found, who = Audience(), viewer or SYSTEM
    people = [*_on_lists(instance, lists), *_labelled(instance, labels, who),
              *_tagged(instance, tags),
              *(handle.strip() for handle in handles)]
    members = list(_members(people, instance, found.left_out, who))
    refused = _refusals([member.contact_id for member in members if member.contact_id], instance)
    rules = contact_lists.rules_in_force(instance.pk, purposes=("allow", "block"))
    names = _names(members, instance, who)
    allow, block = (rules.get(purpose, contact_lists.Rules()) for purpose in ("allow", "block"))
    for member in members:
        known = access_rules.names_of([member.handle, *names.get(member.contact_id or 0, [])])
        ruled = access_rules.decide(known, allow=allow.fitting(known), block=block.fitting(known))
        reason = refused.get(member.contact_id or 0) or ("" if ruled.allowed else "blocked")
        if reason:
            found.left_out[reason] = found.left_out.get(reason, 0) + 1
        else:
            found.members.append(member)
    return found


def _on_lists(instance: Instance, lists: Iterable[str]) -> list[str]:
    wanted = list(lists)
    if not wanted:
        return []
    contact_lists.rules_in_force(instance.pk, lists=wanted)  # names the list that is missing
    return _entries(ContactList.objects.in_force_at(instance.pk).filter(name__in=wanted))


def _entries(lists: Any) -> list[str]:
    return list(ContactListEntry.objects.filter(contact_list__in=lists)
                .order_by("contact_list__name", "pk").values_list("pattern", flat=True))


def _labelled(instance: Instance, labels: Iterable[str],
              who: Principal) -> list[str | Contact]:
    """Contacts with the label, and the entries of label lists that give it."""
    people: list[str | Contact] = []
    for label in labels:
        people += _met(instance).filter(known_by.may_see(who, label=label)).order_by("pk")
        people += _entries(ContactList.objects.in_force_at(instance.pk).filter(
            Q(name=label) | Q(label=label), purpose="label"))
    return people


def _tagged(instance: Instance, tags: Iterable[str]) -> list[Contact]:
    """The other side of direct conversations with the tag; groups are nobody to write to here."""
    of_place = Event.objects.filter(conversation=OuterRef("pk"), contact__isnull=False).order_by(
        "-occurred_at", "-id")
    places = Conversation.objects.filter(instance=instance).exclude(
        kind__in=("group", "channel", "thread", "list", "self")).annotate(person=Coalesce(
            "contact_id", Subquery(of_place.values("contact_id")[:1]),
            output_field=BigIntegerField()))
    found = [number for tag in tags for number in places.filter(
        tags__contains=[tag], person__isnull=False).order_by("pk").values_list("person", flat=True)]
    people = Contact.objects.filter(people_group=instance.people_group).select_related(
        "merged_into").in_bulk(found)
    return [people[number].merged_into or people[number] for number in found if number in people]


def _met(instance: Instance) -> Any:
    """People of the instance's group who were met there; of merged ones the one that was kept."""
    return Contact.objects.filter(pk__in=Handle.objects.met_at(instance).values("contact_id"),
                                  merged_into__isnull=True)


def _members(people: list[Any], instance: Instance, left_out: dict[str, int],
             who: Principal) -> Iterator[Member]:
    """Each person once; a handle of a contact is that contact."""
    owners = _owners([one for one in people if isinstance(one, str)], instance)
    known_by.show([*owners.values(), *(one for one in people if isinstance(one, Contact))], who)
    seen: set[Any] = set()
    for one in people:
        if isinstance(one, str) and (not one or one.endswith("*")):
            left_out["pattern"] = left_out.get("pattern", 0) + 1
            continue
        contact = owners.get(_spelling(one)) if isinstance(one, str) else one
        key = contact.pk if contact else _spelling(one)
        if key in seen:
            continue
        seen.add(key)
        handle = one if isinstance(one, str) else address_of(one, instance)
        if not handle:
            left_out["unreachable"] = left_out.get("unreachable", 0) + 1
            continue
        yield Member(handle, (contact.shown or contact).name if contact else "",
                     contact.pk if contact else None)


def _spelling(handle: str) -> str:
    """One spelling per handle, so that +55 11 and 5511...@s.whatsapp.net are one person."""
    return max(access_rules.names_of([handle]), default=handle)


def _owners(handles: list[str], instance: Instance) -> dict[str, Contact]:
    """{spelling: contact} of handles that have been met at the instance's provider."""
    values = {value for handle in handles for value in _ways_to_write(handle)}
    rows = Handle.objects.met_at(instance).filter(
        provider=instance.provider, value__in=values).select_related("contact").order_by("pk")
    return {_spelling(row.value): row.contact for row in reversed(rows)}


def _ways_to_write(handle: str) -> set[str]:
    text = phones.without_scheme(handle.strip())
    plain = _spelling(handle)
    ways = {handle, text, plain}
    if plain.isdigit():
        ways |= {f"+{plain}", f"{plain}@s.whatsapp.net"}
    return ways


def _refusals(contacts: list[int], instance: Instance) -> dict[int, str]:
    """{contact: why not}, by the newest event of each kind; what was said before a merge counts."""
    found: dict[tuple[int, str], str] = {}
    events = Event.objects.filter(
        Q(contact__in=contacts) | Q(contact__merged_into__in=contacts), instance=instance,
        event_type__in=("contact.blocked", "contact.unblocked", "contact.consent"),
    ).select_related("contact").order_by("occurred_at", "id")
    for event in events:
        person = event.contact.merged_into_id or event.contact_id
        if event.event_type == "contact.consent":
            found[person, "consent"] = "no_consent" if _is_withdrawn(event.content) else ""
        else:
            is_blocked = event.event_type == "contact.blocked"
            found[person, "block"] = "blocked_there" if is_blocked else ""
    return {person: reason for (person, _), reason in found.items() if reason}


def _is_withdrawn(content: Any) -> bool:
    """content: {granted: false} or {state or status: withdrawn, ...}."""
    facts = content if isinstance(content, dict) else {}
    said = str(facts.get("state") or facts.get("status") or "").lower()
    return facts.get("granted") is False or said in _NO


def _names(members: list[Member], instance: Instance, who: Principal) -> dict[int, list[str]]:
    """{contact: every handle it has at the provider}: a rule may name another than we write to."""
    found: dict[int, list[str]] = {}
    rows = Handle.objects.visible_to(who).filter(provider=instance.provider, contact_id__in=[
        member.contact_id for member in members if member.contact_id])
    for contact, value in rows.values_list("contact_id", "value"):
        found.setdefault(contact, []).append(value)
    return found
