"""One person whom two accounts of a group know: what the foreign one said stays with it."""

from dataclasses import dataclass

from connections.access import Principal
from connections.envelope import Handle
from connections.models import Instance
from events.models import Contact, Event
from events.people import known_by, same_person
from events.store import ingest
from tests.factories import make_draft, make_evolution, make_unit

FOREIGN_NAME, FOREIGN_LABEL, FOREIGN_NUMBER = "Zaphod", "foreign-debtor", "351922000002"


@dataclass(frozen=True)
class SharedPerson:
    """own: an event of `mine`, whose contact was merged into `kept`. limited: sees `mine` only."""

    mine: Instance
    own: Event
    kept: Contact
    limited: Principal


def shared_person() -> SharedPerson:
    mine, foreign = make_evolution("mine"), make_evolution("theirs")
    theirs = _arrive(foreign, "1", FOREIGN_NUMBER, FOREIGN_NAME)
    own = _arrive(mine, "2", "351922000009", "Ana")
    same_person.merge(own.contact, theirs.contact, actor="user:root")
    kept = Contact.objects.get(pk=theirs.contact_id)
    known_by.write(kept, instance_ids=[foreign.pk], add_labels=[FOREIGN_LABEL])
    return SharedPerson(mine, own, kept, Principal("key", "key:limited", frozenset(), frozenset(
        {mine.pk})))


def _arrive(instance: Instance, key: str, number: str, name: str) -> Event:
    ref = f"{number}@s.whatsapp.net"
    [stored] = ingest.persist([make_unit(instance, make_draft(
        key, actor_handles=[Handle("phone", f"+{number}")], sender_name=name,
        conversation_ref=ref, provider_actor_ref=ref))])
    return Event.objects.get(pk=stored.event_ids[0])
