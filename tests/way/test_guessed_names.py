"""A name learnt by a guess never makes two strangers one: what names it surely takes it away.

The server's answer to a send and a receipt guess; an event that names two addresses is sure.
"""

import pytest

from events.models import Contact, Conversation, ConversationAlias, Event
from events.people import contacts, conversations
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import ANA, make_evolution, switch_on
from tests.registry.runs import work
from tests.way.test_one_person import LID, OWN_LID, receipt, tell, timeline, write
from tests.way.test_other_addresses import BOB, sent

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["sent", "tell", "write"]  # fixtures
BOTH = {"remoteJidAlt": BOB, "addressingMode": "lid"}
WAITS = """\
omni: 1
id: asker
trigger: [{event: message.text, where: event.text == 'text M1'}]
steps:
  - id: answer
    wait: {event: message.text, match: {conversation: "${{ conversation.id }}",
           direction: inbound}, timeout: 1h}
  - {id: after, set: {heard: "${{ steps.answer.output.event.text }}"}}
"""


# What gives the guess, and the account's own LID: without one a receipt gives no name.
@pytest.fixture(params=[
    ("answer", ""), ("answer", OWN_LID), ("receipt", OWN_LID), ("early receipt", OWN_LID),
    ("echo before the answer", ""), ("echo before the answer", OWN_LID)])
def way(request):
    return request.param


@pytest.fixture
def shop(way):
    return make_evolution(**({"own_lid": way[1]} if way[1] else {}))


@pytest.fixture
def guess(way, sent, write, tell):
    """Let the server say that our message to Ana is under the LID."""
    def guess():
        if "receipt" not in way[0]:
            sent.answers = lambda to: LID
        if way[0].startswith("echo"):
            write("Z1", chat=LID, fromMe=True)
        if way[0].startswith("early"):
            tell("messages.update", receipt("Z1"))
        answer = post_json(client_of("send"), "/api/v1/messages/send/",
                           {"instance": "shop", "to": ANA, "text": "text Z1"})
        assert answer.status_code == 201, answer.data
        if way[0] == "receipt":
            tell("messages.update", receipt("Z1"))
        sent.answers = lambda to: to
        work()

    return guess


def place_of(message_id):
    return Event.objects.get(provider_message_id=message_id).conversation.kept_id


def forget():
    conversations.forget()
    contacts.forget()


@pytest.mark.parametrize("has_met_bob", [True, False])
@pytest.mark.parametrize("remembered", [True, False])
def test_stranger_whose_address_was_guessed_is_no_part_of_the_conversation(
        write, guess, has_met_bob, remembered):
    write("M1")
    if has_met_bob:
        write("B1", chat=BOB, pushName="Bob")
    guess()
    assert ConversationAlias.objects.get(ref=LID).is_guess
    if not remembered:
        forget()

    write("B2", chat=LID, **BOTH)
    write("B3", chat=BOB)
    write("B4", chat=LID)
    write("M2")
    work()

    assert place_of("M1") == place_of("M2") != place_of("B2") == place_of("B3") == place_of("B4")
    assert [name for name in timeline(conversation_ref=ANA) if name != "Z1"] == ["M1", "M2"]
    owners = {handle.value: contact.pk for contact in Contact.objects.kept()
              for handle in contact.handles.all()}
    assert owners[LID] == owners["+5511955554444"] != owners["+351922000002"]
    split = Event.objects.get(event_type="system.conversation.split")
    assert split.content["kept"]["ref"] == ANA and split.content["merged"]["ref"] == LID
    assert split.caused_by.provider_message_id == "B2"


def test_stranger_does_not_answer_what_somebody_else_was_asked(write, guess):
    switch_on(WAITS)
    write("M1")
    work()
    guess()

    write("B2", chat=LID, **BOTH)
    write("M2")
    work()

    assert Run.objects.get().output["heard"] == "text M2"


def test_message_under_the_guess_stays_where_it_came_and_a_process_that_knew_it_learns(
        write, guess):
    write("M1")
    guess()
    write("L1", chat=LID)
    stale = dict(conversations._known)
    write("B2", chat=LID, **BOTH)
    conversations.forget()
    conversations._known.update(stale)

    write("L2", chat=LID)
    work()

    assert place_of("L1") == place_of("M1") != place_of("L2") == place_of("B2")


@pytest.mark.parametrize("remembered", [True, False])
def test_guess_that_an_event_confirms_is_sure(write, guess, remembered):
    write("M1")
    guess()
    if not remembered:
        forget()

    write("M2", chat=LID, remoteJidAlt=ANA, addressingMode="lid")
    write("M3", chat=LID)
    work()

    assert not ConversationAlias.objects.get(ref=LID).is_guess
    assert place_of("M1") == place_of("M2") == place_of("M3")
    assert Conversation.objects.kept().count() == 1


def test_person_met_under_the_guess_only_is_not_the_one_we_wrote_to(write, guess):
    guess()
    write("L1", chat=LID, pushName="Bob")
    write("B2", chat=LID, **BOTH)
    write("M1")
    work()

    ana = Conversation.objects.get(ref=ANA)
    assert ana.contact is not None and ana.contact_id == Event.objects.get(
        provider_message_id="M1").contact_id != Event.objects.get(
        provider_message_id="B2").contact_id


