"""What a contact is called: real names only, and what a person typed stays."""

import pytest

from connections.envelope import Handle
from events.models import Contact, Event
from events.people import contacts
from events.store import ingest
from tests.factories import (
    ANA,
    evolution_text,
    make_draft,
    make_evolution,
    make_instance,
    make_unit,
    post_delivery,
)

pytestmark = pytest.mark.django_db
PHONE, LID = Handle("phone", "+351922000002"), Handle("lid", "200000000000002@lid", "shop")
NO_NAMES = ["351922000002", "+351 922 000 002", ANA, "200000000000002@lid", "Você", "você", "VOCÊ",
            "You", "Tú", "Vous", "Du", "Tu", "Eu", "Ich", "(You)", " Você "]


@pytest.fixture
def shop():
    return make_instance("shop")


def arrive(shop, name, *more, handles=(PHONE, LID)):
    for one in (name, *more):
        ingest.persist([make_unit(shop, make_draft(actor_handles=list(handles), sender_name=one))])


@pytest.mark.parametrize("name", NO_NAMES)
def test_own_number_and_words_for_oneself_are_no_name(shop, name):
    arrive(shop, name)

    assert Contact.objects.get().name == "" and Event.objects.get().sender_name == name


@pytest.mark.parametrize("name", ["Loja 24", "99 Pop", "351922000002 Rita", "Yourself", "Duarte",
                                  "🌸", "24h"])
def test_digits_or_such_words_within_other_text_are_a_name(shop, name):
    arrive(shop, name, "Somebody else")

    assert Contact.objects.get().name == name


@pytest.mark.parametrize("before", ["", "351922000002", "007", "+1 (22) 33", "Você", "You"])
@pytest.mark.parametrize("remembered", [True, False])
def test_first_real_name_takes_the_place_of_none(shop, before, remembered):
    arrive(shop, "")
    Contact.objects.update(name=before)
    contacts.forget()
    arrive(shop, "")
    if not remembered:
        contacts.forget()

    arrive(shop, "Você", "Rita", "Somebody else")

    assert Contact.objects.get().name == "Rita"


def test_number_that_is_not_its_own_is_kept_until_there_is_a_name(shop):
    arrive(shop, "007")
    before = Contact.objects.get().name
    arrive(shop, "James")

    assert (before, Contact.objects.get().name) == ("007", "James")


def test_real_name_of_a_batch_wins_over_a_number(shop):
    ingest.persist([make_unit(shop, *(make_draft(actor_handles=[PHONE], sender_name=name)
                                      for name in ("You", "007", "Rita", "Ritinha")))])

    assert Contact.objects.get().name == "Rita"


@pytest.mark.parametrize("name", ["007", "You"])
def test_name_given_by_hand_is_never_replaced(shop, name):
    arrive(shop, "")
    Contact.objects.update(name=name, name_by_hand=True)
    contacts.forget()

    arrive(shop, "Rita")

    assert Contact.objects.get().name == name


@pytest.mark.parametrize("name", ["007", "You"])
def test_name_given_by_hand_after_it_was_remembered_is_never_replaced(shop, name):
    arrive(shop, "")
    Contact.objects.update(name=name, name_by_hand=True)

    arrive(shop, "Rita")

    assert Contact.objects.get().name == name


@pytest.mark.parametrize("own", ["Você", "The Shop"])
def test_own_message_never_names_the_person_on_the_other_side(client, own):
    shop = make_evolution()

    post_delivery(client, shop, evolution_text("M1", key={"fromMe": True}, pushName=own))
    before = Event.objects.get().contact.name
    post_delivery(client, shop, evolution_text("M2", pushName="Ana"))
    post_delivery(client, shop, evolution_text("M3", key={"fromMe": True}, pushName=own))

    assert before == "" and Event.objects.latest("id").contact.name == "Ana"
    assert not Contact.objects.filter(name="Você").exists()


def test_word_the_server_puts_for_oneself_is_nobody_s_name(client):
    shop = make_evolution()

    post_delivery(client, shop, evolution_text("M1", key={"fromMe": True}, pushName="Você"))

    assert Event.objects.get().sender_name == ""
