"""People: handles of one sender share a contact."""

import pytest

from connections.envelope import Handle
from events.models import Contact, Event
from events.models import Handle as HandleRow
from events.people import contacts
from events.store import ingest
from tests.factories import make_draft, make_instance, make_unit

pytestmark = pytest.mark.django_db
PHONE, LID = Handle("phone", "+351922000002"), Handle("lid", "200000000000002", "shop")


@pytest.fixture
def shop():
    return make_instance("shop")


def arrive(shop, *people, **fields):
    """One batch of messages, one per list of handles."""
    ingest.persist([make_unit(shop, make_draft(actor_handles=list(handles), **fields))
                    for handles in people])


def test_handles_that_arrive_together_share_a_contact(shop):
    arrive(shop, [PHONE, LID])

    assert Contact.objects.get().name == "Ana"
    assert set(Contact.objects.get().handles.values_list("kind", flat=True)) == {"phone", "lid"}


@pytest.mark.parametrize(("first", "second"), [
    ([PHONE], [PHONE, LID]), ([LID], [PHONE, LID]), ([PHONE, LID], [LID])])
@pytest.mark.parametrize("batches", [1, 2])
def test_new_handle_joins_the_contact_of_the_known_one(shop, first, second, batches):
    if batches == 1:
        arrive(shop, first, second)
    else:
        arrive(shop, first)
        arrive(shop, second)

    assert Contact.objects.count() == 1 and HandleRow.objects.count() == 2
    assert set(Event.objects.values_list("contact_id", flat=True)) == {Contact.objects.get().pk}


def test_same_handle_at_two_instances_is_one_contact_seen_at_both(shop):
    desk = make_instance("desk")

    arrive(shop, [PHONE])
    arrive(desk, [PHONE])

    handle = HandleRow.objects.get()
    assert set(handle.instances.values_list("slug", flat=True)) == {"shop", "desk"}


def test_handle_of_another_scope_is_another_person(shop):
    arrive(shop, [Handle("lid", "1", "shop")], [Handle("lid", "1", "desk")])

    assert Contact.objects.count() == 2


def test_native_reference_alone_is_a_handle_of_its_instance(shop):
    arrive(shop, [], provider_actor_ref="U77")

    handle = HandleRow.objects.get()
    assert (handle.kind, handle.value, handle.scope) == ("id", "U77", str(shop.pk))


def test_own_message_belongs_to_the_person_on_the_other_side(shop):
    arrive(shop, [Handle("phone", "+351911000001")], from_me=True, direction="outbound",
           sender_name="Shop", contact_handles=[PHONE], contact_name="Ana")

    event = Event.objects.get()
    assert event.contact.name == "Ana" and event.actor.value == "+351911000001"


@pytest.mark.parametrize("remembered", [True, False])
def test_name_is_filled_in_when_it_becomes_known(shop, remembered):
    arrive(shop, [PHONE], sender_name="")
    if not remembered:
        contacts.forget()

    arrive(shop, [PHONE], sender_name="Ana")

    assert Contact.objects.get().name == "Ana"


def test_name_that_is_known_never_changes(shop):
    arrive(shop, [PHONE])
    arrive(shop, [PHONE], sender_name="Somebody else")

    assert Contact.objects.get().name == "Ana"
