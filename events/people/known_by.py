"""What of a contact which account knows, so that who is limited to some instances sees no more.

`Contact.known_by` holds the instances that wrote something: {"name": [id], "labels": {label: [id]},
"attributes": {key: [id]}}. What is not in it was written by somebody who sees every instance, or
before this was kept: only who sees every instance the contact was met at sees that.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.db.models import Exists, OuterRef, Q

from connections.access import Principal
from connections.names import best
from events.models import Contact, Event, Sighting
from events.models.contact import Shown

_CHUNK = 500
_MERGED_INTO = Contact._meta.get_field("merged_into")
Known = dict[str, Any]


def naming(instance_ids: Iterable[int]) -> Known:
    """What is known of a contact whose name these instances said."""
    numbers = sorted(set(instance_ids))
    return {"name": numbers} if numbers else {}


def show(contacts: Iterable[Contact | None], who: Principal) -> None:
    """Set `shown` of contacts to what `who` may see of them; one statement for all of them.

    Those they are merged into, as far as they were read with them, are shown in the same way.
    """
    rows = [row for contact in contacts if contact is not None
            for row in (contact, contact.merged_into if _MERGED_INTO.is_cached(contact) else None)
            if row is not None]
    if who.instance_ids is None or not rows:
        return
    met: dict[int, list[tuple[int, str]]] = {}
    for contact, instance, name in Sighting.objects.filter(
            handle__contact__in=[row.pk for row in rows]).order_by("pk").values_list(
            "handle__contact_id", "instance_id", "name"):
        met.setdefault(contact, []).append((instance, name))
    for row in rows:
        row.shown = _shown(row, met.get(row.pk, []), who.instance_ids)
        row.shown_to = who


def showing(events: Iterable[Event], who: Principal | None) -> Iterator[Event]:
    """The events, their contacts as `who` may see them: whoever runs a text of their own over
    events reads in it what they may read elsewhere. One statement for _CHUNK events, none for who
    sees every instance. who: None means nobody in particular.
    """
    if who is None or who.instance_ids is None:
        yield from events
        return
    rest = iter(events)
    while chunk := list(islice(rest, _CHUNK)):
        show((event.contact for event in chunk), who)
        yield from chunk


def _shown(contact: Contact, met: list[tuple[int, str]], seen: frozenset[int]) -> Shown:
    if met and all(instance in seen for instance, _ in met):
        return Shown(contact.name, contact.labels, contact.attributes)
    known = contact.known_by
    labels, attributes = known.get("labels", {}), known.get("attributes", {})
    name = contact.name if seen.intersection(known.get("name", ())) else best(
        [name for instance, name in met if instance in seen], handles=())
    return Shown(name, [label for label in contact.labels if seen.intersection(
        labels.get(label, ()))], {key: value for key, value in contact.attributes.items()
                                  if seen.intersection(attributes.get(key, ()))})


def write(contact: Contact, *, instance_ids: Iterable[int] = (), add_labels: Iterable[str] = (),
          remove_labels: Iterable[str] = (), attributes: Mapping[str, Any] | None = None,
          remove_attributes: Iterable[str] = (), name: str | None = None) -> bool:
    """Change a contact whose row the caller holds; says whether anything became different.

    instance_ids: who writes; none is somebody who sees every instance. name: typed by a person.
    """
    numbers, before = sorted(set(instance_ids)), _facts(contact)
    known: Known = {**contact.known_by}
    for part, added, removed in (("labels", add_labels, remove_labels),
                                 ("attributes", attributes or {}, remove_attributes)):
        of = dict(known.get(part, {}))
        for word in added:
            is_same = part == "labels" or contact.attributes.get(word) == added[word]
            of[word] = sorted({*(of.get(word, ()) if is_same else ()), *numbers})
        known[part] = {word: by for word, by in of.items() if by and word not in set(removed)}
    contact.labels = [label for label in dict.fromkeys([*contact.labels, *add_labels])
                      if label not in set(remove_labels)]
    contact.attributes = {key: value for key, value in {
        **contact.attributes, **(attributes or {})}.items() if key not in set(remove_attributes)}
    if name is not None:
        contact.name, known["name"] = name, numbers
        contact.name_by_hand = bool(name.strip())
    contact.known_by = {part: by for part, by in known.items() if by}
    if _facts(contact) == before:
        return False
    contact.save(update_fields=["name", "name_by_hand", "labels", "attributes", "known_by"])
    return True


def _facts(contact: Contact) -> tuple[Any, ...]:
    return contact.name, contact.labels, contact.attributes, contact.known_by


def both(one: Known, other: Known) -> Known:
    """What is known of a contact that was two; the name is the first one's."""
    found = {part: {word: sorted({*one.get(part, {}).get(word, ()),
                                  *other.get(part, {}).get(word, ())})
                    for word in {**one.get(part, {}), **other.get(part, {})}}
             for part in ("labels", "attributes")}
    return {**naming(one.get("name", ())), **{part: by for part, by in found.items() if by}}


def may_see(who: Principal, *, label: str = "", name: str = "") -> Q:
    """Contacts of which `who` sees this label, or a name that holds this word in any case."""
    wanted = Q(labels__contains=[label]) if label else Q(name__icontains=name)
    if who.instance_ids is None:
        return wanted
    met = Sighting.objects.filter(handle__contact=OuterRef("pk"))
    elsewhere = Exists(met.exclude(instance__in=who.instance_ids))
    by = Q()
    for number in who.instance_ids:
        by |= Q(known_by__contains={"labels": {label: [number]}} if label else {"name": [number]})
    allowed = wanted & (~Q(elsewhere) | by)
    return allowed if label else allowed | Q(Exists(met.filter(
        instance__in=who.instance_ids, name__icontains=name)))
