"""Which addresses are one person's, and what never makes two people one.

Bodies go in at the webhook, sends at the API; what is looked at is who is written to.
"""

from contextlib import suppress

import pytest
from django.db import OperationalError, transaction

from connections.envelope import OutboundMessage, SendResult
from connections.providers.whatsapp_evolution import places
from events.models import Conversation, ConversationAlias, Event, OutboxMessage, Underived
from events.outbox import deliver, settling
from events.people import conversations
from events.store import derive, late_receipts, state
from omni import failpoints
from omni.audit import AuditEntry
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import ANA, evolution_text, make_evolution, post_delivery, switch_on
from tests.registry.runs import work
from tests.two_connections import Elsewhere
from tests.way.test_one_person import (
    BOTH,
    LID,
    OWN,
    OWN_LID,
    WAITS,
    receipt,
    tell,
    timeline,
    write,
)

pytestmark = pytest.mark.django_db
__all__ = ["tell", "write"]  # fixtures
BOB, GROUP = "5511955554444@s.whatsapp.net", "120363900000000010@g.us"
OTHER_LID = "300000000000003@lid"
TOGETHER = [{"id": GROUP, "subject": "Team", "participants": [{"id": LID, "phoneNumber": ANA}]}]
ANSWERER = """\
omni: 1
id: answerer
trigger: [{event: message.text, where: not event.from_me}]
claim: reply
steps: [{uses: route.reply, with: {text: secret}}]
"""


@pytest.fixture
def shop():
    return make_evolution(own_lid=OWN_LID)


@pytest.fixture
def sent(shop, monkeypatch):
    """Addresses messages went to; `answers` says which the server names in its answer."""
    class Sent(list):
        answers = staticmethod(lambda to: to)

    sent = Sent()

    def send(_, message, account):
        sent.append(message.to)
        return SendResult("succeeded", provider_message_id=f"Z{len(sent)}",
                          conversation_ref=places.same_place(message.to, sent.answers(message.to)))

    monkeypatch.setattr(type(shop.adapter), "send", send)
    return sent


def post_send(to):
    return post_json(client_of("send"), "/api/v1/messages/send/",
                     {"instance": "shop", "to": to, "text": "hello"})


def places_now():
    """{ref: other names} of every place."""
    return {place.ref: sorted(place.aliases.values_list("ref", flat=True))
            for place in Conversation.objects.kept()}


def test_receipt_under_another_phone_makes_it_no_name_of_the_chat(write, tell, sent):
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1", chat=BOB))
    switch_on(ANSWERER)
    write("M1", chat=BOB)
    work()
    post_send(BOB)

    assert sent == [BOB, BOB] and places_now() == {ANA: [], BOB: []}
    assert Event.objects.get(target_message_id="OUT1").conversation.ref == ANA


def test_chat_takes_one_hidden_address_from_receipts(write, tell):
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1", chat=LID))
    tell("messages.update", receipt("OUT1", chat=OTHER_LID, status="PLAYED"))
    write("M1", chat=OTHER_LID)

    assert places_now() == {ANA: [LID], OTHER_LID: []}


def test_receipt_names_nobody_whose_other_address_is_another(write, tell):
    write("G1", chat=GROUP, participant=LID, participantAlt=BOB)
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1", chat=LID))

    assert places_now()[ANA] == []


@pytest.mark.parametrize(("account_settings", "chat"), [
    ({"own_lid": OWN_LID}, OWN_LID), ({}, OWN_LID), ({}, OWN), ({"owner_jid": OWN}, OWN_LID),
    ({"owner_jid": OWN}, OWN)])
def test_address_that_may_be_our_own_is_no_name_of_a_chat(write, tell, shop, account_settings,
                                                          chat):
    shop.settings = {"base_url": "", **account_settings}
    shop.save()
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1", chat=chat))

    assert not ConversationAlias.objects.exists()


def test_send_goes_to_the_address_it_was_asked_for(write, sent):
    write("M1", chat=LID)
    write("M2", chat=LID, **BOTH)

    for to in (ANA, LID, "+351 922 000 002"):
        post_send(to)

    assert sent == [ANA, LID, ANA]
    assert set(OutboxMessage.objects.values_list("recipient", flat=True)) == {LID}


def test_send_done_again_goes_to_the_address_it_was_asked_for(write, shop, monkeypatch):
    asked = []
    monkeypatch.setattr(type(shop.adapter), "send", lambda _, message, account: asked.append(
        message.to) or SendResult("unknown", error="no answer", error_code="timeout"))
    write("M1")
    write("M2", chat=LID, **BOTH)
    deliver.send(OutboundMessage(kind="text", to=LID, text="hi"), instance=shop, effect_key="k")
    settling.send_again(OutboxMessage.objects.get(), actor="user:ana")

    assert asked == [LID, LID]


def test_wrong_name_of_a_chat_is_taken_back_by_hand(write, tell, sent):
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1"))
    write("M1", chat=LID)
    place = Conversation.objects.get()
    stale = {(place.instance_id, LID): place.pk}

    answer = post_json(client_of("send"), f"/api/v1/conversations/{place.pk}/split/", {"ref": LID})
    conversations._known.update(stale)  # of a process that has not heard of it
    write("M2", chat=LID)
    write("M3", chat=LID, **BOTH)
    tell("messages.update", receipt("OUT1", status="PLAYED"))
    post_send(LID)

    assert answer.status_code == 200, answer.data
    assert places_now() == {ANA: [], LID: []} and sent == [LID]
    assert timeline(conversation_ref=LID) == ["M2", "M3", "Z1"]
    assert AuditEntry.objects.filter(action="conversation.split").exists()
    assert Event.objects.filter(event_type="system.conversation.split").count() == 1


def test_name_a_chat_does_not_have_is_not_taken_from_it(write):
    write("M1")
    place = Conversation.objects.get()

    answer = post_json(client_of("send"), f"/api/v1/conversations/{place.pk}/split/", {"ref": LID})

    assert (answer.status_code, answer.data["code"]) == (409, "not_merged")


@pytest.mark.parametrize(("event", "data"), [
    ("groups.upsert", TOGETHER), ("contacts.upsert", [{"id": ANA, "lid": LID}]),
    ("group message", None), ("status", None)])
@pytest.mark.parametrize("first", [ANA, LID])
def test_addresses_named_together_before_both_wrote_are_one_place(
        write, tell, event, data, first):
    if event == "group message":
        write("G1", chat=GROUP, participant=LID, participantAlt=ANA)
    elif event == "status":
        write("S1", chat="status@broadcast", participant=LID, participantPn=ANA)
    else:
        tell(event, data)

    write("M1", chat=first)
    write("M2", chat=LID if first == ANA else ANA)

    assert Conversation.objects.filter(kind="direct").count() == 1
    assert timeline(conversation_ref=LID) == ["M1", "M2"]


def test_addresses_known_as_one_person_that_write_in_one_batch_are_one_place(
        client, shop, tell):
    tell("groups.upsert", TOGETHER)
    body = evolution_text("M1")
    body["data"] = [body["data"], evolution_text("M2", chat=LID)["data"]]

    post_delivery(client, shop, body)

    assert places_now() == {GROUP: [], ANA: [LID]}
    assert timeline(conversation_ref=ANA) == ["M1", "M2"]


def test_wait_on_the_conversation_ends_though_the_answer_comes_under_the_other_address(
        write, tell):
    tell("groups.upsert", TOGETHER)
    switch_on((WAITS % 'conversation: "${{ conversation.id }}"').replace("text M2", "text M1"))
    write("M1")
    work()
    write("M2", chat=LID)
    work()

    assert Run.objects.get().state == "done"


def test_pair_another_process_has_heard_of_makes_one_place(write, tell):
    tell("groups.upsert", TOGETHER)
    nowhere = dict(conversations._nowhere)
    write("M1")
    write("M2", chat=LID)
    conversations.forget()
    conversations._nowhere.update(nowhere)
    tell("groups.upsert", [{**TOGETHER[0], "subject": "New"}])

    assert places_now() == {GROUP: [], ANA: [LID]}


def test_send_to_a_phone_is_in_the_chat_of_the_hidden_address(write, tell, sent):
    tell("contacts.upsert", [{"id": ANA, "lid": LID}])
    write("M1", chat=LID)

    post_send("+351 922 000 002")

    assert sent == [ANA] and places_now() == {LID: [ANA]}


def test_two_phones_of_one_contact_stay_two_places(write):
    write("M1")
    write("M2", chat=BOB)
    write("M3", chat=LID, remoteJidAlt=ANA)

    assert places_now() == {ANA: [LID], BOB: []}


def test_receipt_before_its_message_opens_no_second_conversation(write, tell):
    tell("messages.update", receipt("OUT1"))
    work()
    write("OUT1", fromMe=True)
    work()
    write("M1", chat=LID)
    work()

    [place] = Conversation.objects.kept()
    assert (place.ref, places_now()) == (ANA, {ANA: [LID]})
    assert timeline(conversation_ref=ANA) == ["M1", "OUT1"]
    assert Event.objects.filter(event_type="system.conversation.merged").count() == 1


@pytest.mark.parametrize("others", [0, 2])
def test_death_before_an_early_receipt_is_joined_is_made_up_for(write, tell, settings, others):
    for number in range(others + 1):
        tell("messages.update", receipt("OUT1", status=("READ", "DELIVERY_ACK", "PLAYED")[number]))
    work()
    write("OUT1", fromMe=True)
    settings.OMNI_FAILPOINT = "route.committed:raise"
    with suppress(failpoints.FailpointReached):
        work()
    settings.OMNI_FAILPOINT = ""
    before = places_now()

    derive.redo(at_once=True)

    assert (before, places_now()) == ({ANA: [], LID: []}, {ANA: [LID]})
    assert Event.objects.filter(event_type="system.conversation.merged").count() == 1
    assert not Underived.objects.exists()


def test_early_receipt_whose_own_part_failed_is_joined_when_that_is_mended(
        write, tell, monkeypatch):
    real = state.apply
    monkeypatch.setattr(state, "apply", lambda events: {
        event.pk: "odd" for event in events if event.relation == "status_of"})
    tell("messages.update", receipt("OUT1"))
    work()
    monkeypatch.setattr(late_receipts, "settle", _dies)
    write("OUT1", fromMe=True)
    work()
    monkeypatch.undo()
    assert state.apply is real

    derive.redo(at_once=True)

    assert places_now() == {ANA: [LID]} and not Underived.objects.exists()


def _dies(_):
    raise OperationalError("the connection is lost")


def test_receipt_before_the_answer_of_the_api_opens_no_second_conversation(
        write, tell, shop, monkeypatch):
    def send(_, message, account):
        tell("messages.update", receipt("OUT1", status="DELIVERY_ACK"))
        return SendResult("succeeded", provider_message_id="OUT1")

    monkeypatch.setattr(type(shop.adapter), "send", send)
    assert post_send(ANA).status_code == 201
    tell("messages.update", receipt("OUT1"))
    work()
    write("M1", chat=LID)

    assert places_now() == {ANA: [LID]}


def test_receipt_before_its_message_joins_no_chat_somebody_wrote_in(write, tell):
    write("M1", chat=BOB)
    write("M2", chat=LID)
    for chat in (BOB, LID):
        tell("messages.update", receipt(f"OUT-{chat}", chat=chat))
        work()
        write(f"OUT-{chat}", fromMe=True)
        work()

    assert places_now() == {BOB: [], LID: [], ANA: []}


def test_receipt_before_its_message_under_another_phone_makes_it_no_name_of_the_chat(write, tell):
    tell("messages.update", receipt("OUT1", chat=BOB))
    work()
    write("OUT1", fromMe=True)
    work()

    assert places_now() == {BOB: [], ANA: []}


def test_receipt_before_its_message_joins_no_chat_that_has_two_names(write, tell):
    tell("messages.update", {**receipt("OUT1"), "participant": BOB})
    work()
    write("OUT1", fromMe=True)
    work()

    assert places_now() == {LID: [BOB], ANA: []}


@pytest.mark.django_db(transaction=True)
def test_receipt_before_its_message_and_a_message_that_names_both_join_them_once(write, tell):
    tell("messages.update", receipt("OUT1"))
    work()
    write("OUT1", fromMe=True)

    with transaction.atomic():
        write("M1", chat=LID, **BOTH)
        other = Elsewhere(work)
        assert other.waits_for()
    other.gives()

    assert places_now() == {LID: [ANA]}
    assert Event.objects.filter(event_type="system.conversation.merged").count() == 1


def test_receipt_that_names_phone_and_hidden_address_names_both(write, tell):
    write("OUT1", fromMe=True)
    tell("messages.update", {**receipt("OUT1", chat=ANA), "participant": LID})
    write("M1", chat=LID)

    assert places_now() == {ANA: [LID]}


def test_answer_of_the_server_names_no_chat_of_somebody_else(write, sent):
    write("M1", chat=LID)
    write("M2")
    sent.answers = lambda to: LID

    post_send(ANA)
    post_send(BOB)

    assert places_now() == {LID: [], ANA: [], BOB: []}


def test_answer_of_the_server_names_nobody_met_in_a_group_as_somebody_else(write, sent):
    write("G1", chat=GROUP, participant=LID, participantAlt=ANA)
    sent.answers = lambda to: LID

    post_send(BOB)

    assert places_now()[BOB] == []


def test_answer_of_the_server_adds_a_hidden_address_nobody_had(write, sent):
    sent.answers = lambda to: LID
    post_send(ANA)
    write("M1", chat=LID)

    assert places_now() == {ANA: [LID]}


def test_answer_with_the_other_spelling_of_a_phone_joins_what_was_opened_by_a_send(write, sent):
    short = "551144443333@s.whatsapp.net"
    write("M1", chat=short)
    post_send("5511944443333")
    sent.answers = lambda to: short
    post_send("5511944443333")

    assert places_now() == {short: ["5511944443333@s.whatsapp.net"]}


def test_key_that_names_the_former_address_names_both(write):
    write("M1", chat=LID)
    write("M2", previousRemoteJid=LID)

    assert Conversation.objects.kept().count() == 1


@pytest.mark.parametrize("by", ["number", "ref", "contact"])
def test_send_of_a_run_into_a_merged_conversation_is_in_the_kept_one(write, sent, by):
    write("M1")
    write("M2", chat=LID)
    write("M3", chat=LID, **BOTH)
    work()
    younger = Conversation.objects.get(ref=LID)
    to = {"number": younger.pk, "ref": LID, "contact": {"contact_id": younger.contact_id}}[by]
    switch_on("omni: 1\nid: sender\ntrigger: [{event: message.text, where: not event.from_me}]\n"
              f"steps: [{{uses: route.send, with: {{to: {to}, text: hi}}}}]\n".replace("'", ""))
    write("M4", chat=BOB)
    work()

    row = OutboxMessage.objects.get()
    assert (row.conversation.ref, row.recipient) == (ANA, ANA)
    assert sent == [LID if by == "ref" else ANA]


@pytest.mark.parametrize("to", [
    "abc", "5511944443333, 5511955554444", "5511944443333 / 5511955554444",
    "5511944443333;5511955554444", "12345,67890", "5511944443333,5511955554444@s.whatsapp.net"])
def test_what_is_no_address_is_refused_and_opens_nothing(sent, to):
    answer = post_send(to)

    assert (answer.status_code, answer.data["code"], sent) == (400, "bad_recipient", [])
    assert not Conversation.objects.exists() and not OutboxMessage.objects.exists()
