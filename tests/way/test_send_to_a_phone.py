"""A send and what comes back: one person is one conversation, however the address is written."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from werkzeug import Request, Response

from connections.envelope import OutboundMessage
from events.models import Contact, Conversation, ConversationAlias, Event, OutboxMessage
from events.outbox import deliver, settling
from events.people import conversations
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.starts import manual
from registry.engine.work import queue
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import evolution_text, make_evolution, make_sent, post_delivery, switch_on

pytestmark = pytest.mark.django_db
DIGITS, FULL = "5511944443333", "5511944443333@s.whatsapp.net"
WITHOUT_THE_NINTH = "551144443333@s.whatsapp.net"
LID = "200000000000002@lid"
SPELLINGS = [DIGITS, f"+{DIGITS}", "+55 11 94444-3333", "+55 (11) 94444 3333", "55.11.94444.3333",
             "\u202a+55\u00a011\u00a094444\u20113333\u202c", f"whatsapp:+{DIGITS}", FULL,
             "5511944443333:12@s.whatsapp.net", "5511944443333@c.us"]
SEND = "/api/v1/messages/send/"
TELL = """\
omni: 1
id: tell
trigger: [{manual: true}]
steps:
  - for_each:
      in: inputs.people
      do:
        - uses: route.send
          with: {to: "${{ item }}", text: "Closed on Sunday, ${{ item }}"}
inputs:
  people: {type: list, required: true}
"""
CALL = """\
omni: 1
id: call
trigger: [{manual: true}]
steps:
  - id: people
    uses: transform.audience.members
    with: {audience: "label:vip"}
  - for_each:
      in: steps.people.output.items
      do:
        - uses: route.send
          with: {to: "${{ item }}", text: Closed on Sunday}
"""
ANSWER = """\
omni: 1
id: answer
trigger: [{event: message.text, where: event.direction == 'inbound'}]
steps:
  - uses: route.reply
    with: {text: Thanks}
"""


@pytest.fixture
def server(httpserver):
    """An Evolution server that names the chat as it was asked, or as `answers_as` says."""
    numbers = itertools.count(1)
    httpserver.answers_as = {}

    def answer(request: Request) -> Response:
        number = request.get_json()["number"]
        jid = httpserver.answers_as.get(number, number)
        return Response(
            f'{{"key": {{"id": "OUT{next(numbers)}", "remoteJid": "{jid}", "fromMe": true}}}}',
            status=201, content_type="application/json")

    httpserver.expect_request("/message/sendText/shop").respond_with_handler(answer)
    return httpserver


@pytest.fixture
def shop(server):
    return make_evolution(base_url=server.url_for(""))


def send(to, text="Your order is ready."):
    answer = post_json(client_of("send"), SEND, {"instance": "shop", "to": to, "text": text})
    assert answer.status_code == 201, answer.data
    return answer.data


def hear(client, shop, chat, message_id="IN1", **key):
    assert post_delivery(client, shop, evolution_text(
        message_id, "Thanks!", chat=chat, key=key, pushName="Fia")).status_code == 202


def work():
    while routing.route():
        pass
    while claims := queue.claim("test", limit=10):
        for claim in claims:
            runner.advance(claim)


def asked(server):
    return [request.get_json()["number"] for request, _ in server.log]


def the_only_conversation():
    """The one there is; every event and every send is part of it."""
    place = Conversation.objects.get()
    assert set(Event.objects.values_list("conversation_id", flat=True)) == {place.pk}
    assert set(OutboxMessage.objects.values_list("conversation_id", flat=True)) == {place.pk}
    assert set(OutboxMessage.objects.values_list("recipient", flat=True)) == {place.ref}
    return place


@pytest.mark.parametrize("to", SPELLINGS)
def test_answer_to_a_send_lands_in_the_conversation_of_the_send(client, shop, server, to):
    send(to)
    hear(client, shop, FULL)

    place = the_only_conversation()
    assert (place.ref, place.kind) == (FULL, "direct") and asked(server) == [FULL]
    assert Contact.objects.get().name == "Fia"


def test_every_spelling_of_a_phone_is_one_conversation(shop):
    for to in SPELLINGS:
        send(to)

    the_only_conversation()
    assert OutboxMessage.objects.count() == len(SPELLINGS)


@pytest.mark.parametrize("remembered", [True, False])
def test_chat_that_is_known_under_a_hidden_id_is_found_by_its_phone(client, shop, remembered):
    hear(client, shop, LID, remoteJidAlt=FULL)
    if not remembered:
        conversations.forget()

    send(DIGITS)

    assert the_only_conversation().ref == LID


@pytest.mark.parametrize(("to", "kind"), [
    ("120363900000000010@g.us", "group"), (LID, "direct"), ("120363900000000099@newsletter",
                                                            "channel"),
    ("status@broadcast", "list"), ("120363900000000010", "group"),
    ("5511944443333-1400000000@g.us", "group")])
def test_kind_of_a_new_conversation_is_told_by_the_address(shop, to, kind):
    send(to)

    assert the_only_conversation().kind == kind


def test_number_the_server_writes_otherwise_is_another_name_of_the_conversation(
        client, shop, server):
    server.answers_as[FULL] = WITHOUT_THE_NINTH
    send(DIGITS)

    hear(client, shop, WITHOUT_THE_NINTH)
    send("+55 11 4444-3333")

    assert the_only_conversation().ref == FULL
    assert ConversationAlias.objects.get().ref == WITHOUT_THE_NINTH
    assert asked(server) == [FULL, FULL]


def test_hidden_id_the_server_answers_is_another_name_of_the_conversation(client, shop, server):
    server.answers_as[FULL] = LID
    send(DIGITS)

    hear(client, shop, LID)

    assert the_only_conversation().ref == FULL


@pytest.mark.parametrize("other", ["5511955556666@s.whatsapp.net", "120363900000000010@g.us"])
def test_answer_that_names_somebody_else_is_no_other_name(client, shop, server, other):
    server.answers_as[FULL] = other
    send(DIGITS)

    hear(client, shop, other)

    assert not ConversationAlias.objects.exists() and Conversation.objects.count() == 2


def test_two_known_conversations_the_server_names_as_one_become_one(client, shop, server):
    hear(client, shop, FULL, "IN1")
    hear(client, shop, WITHOUT_THE_NINTH, "IN2")
    server.answers_as[FULL] = WITHOUT_THE_NINTH

    send(DIGITS)

    kept = Conversation.objects.kept().get()
    assert kept.ref == FULL and OutboxMessage.objects.get().conversation == kept
    assert ConversationAlias.objects.get().ref == WITHOUT_THE_NINTH


def test_refused_send_has_a_conversation_too(shop, server):
    server.clear_all_handlers()
    server.expect_request("/message/sendText/shop").respond_with_json({}, status=400)

    answer = post_json(client_of("send"), SEND, {"instance": "shop", "to": DIGITS, "text": "hi"})

    row = OutboxMessage.objects.get()
    assert (answer.status_code, row.state) == (422, "rejected")
    assert (row.conversation.ref, row.recipient) == (FULL, FULL)


def test_same_request_is_recognized_after_the_conversation_was_found(shop, server):
    caller, wish = client_of("send"), {"instance": "shop", "to": "+55 11 94444-3333", "text": "hi"}

    first, again = (post_json(caller, SEND, wish, **{"idempotency-key": "7"}) for _ in range(2))

    assert first.data == again.data and len(server.log) == 1


def test_send_that_is_repeated_by_a_person_stays_in_the_conversation(shop):
    send(DIGITS)
    row = OutboxMessage.objects.get()
    OutboxMessage.objects.filter(pk=row.pk).update(state="unknown", conversation=None)

    settling.send_again(OutboxMessage.objects.get(), actor="user:ana")

    assert OutboxMessage.objects.latest("id").conversation == Conversation.objects.get()


def test_broadcast_of_a_workflow_goes_into_the_conversations_of_its_people(client, shop, server):
    manual.start(switch_on(TELL), instance=shop, actor="user:ana", inputs={
        "people": ["+55 11 94444-3333", DIGITS, FULL, "+351 922 000 002"]})
    work()
    hear(client, shop, FULL)

    assert Run.objects.get().state == "done"
    sent = OutboxMessage.objects.order_by("id").values_list("conversation__ref", flat=True)
    assert list(sent) == [FULL, FULL, FULL, "351922000002@s.whatsapp.net"] == asked(server)
    assert Conversation.objects.count() == 2


def test_member_of_an_audience_is_written_to_where_they_wrote(client, shop, server):
    hear(client, shop, LID)
    post_delivery(client, shop, {"event": "contacts.update", "instance": "shop", "data": {
        "remoteJid": FULL, "lid": LID, "pushName": "Fia"}})
    Contact.objects.update(labels=["vip"])

    manual.start(switch_on(CALL), instance=shop, actor="user:ana")
    work()

    assert Contact.objects.get().handles.count() == 2 and asked(server) == [LID]
    assert OutboxMessage.objects.get().conversation == Conversation.objects.get()


def test_limit_of_a_person_counts_every_spelling(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = 3
    manual.start(switch_on(TELL), instance=shop, actor="user:ana",
                 inputs={"people": SPELLINGS[:5]})
    work()

    assert OutboxMessage.objects.count() == 3 and Run.objects.get().state == "queued"  # held


def test_loop_is_noticed_whatever_name_the_chat_answers_by(client, shop, server):
    hear(client, shop, FULL, "IN1", remoteJidAlt=LID)
    work()
    switch_on(ANSWER)
    for number in range(10):
        make_sent(shop, FULL, run_id=100 + number)

    for message_id, chat in (("IN2", LID), ("IN3", FULL)):
        hear(client, shop, chat, message_id)
        work()

    assert Event.objects.get(event_type="system.loop.stopped").conversation_ref == FULL
    assert not server.log and not Run.objects.exists()


def test_reply_goes_to_the_address_as_received_and_counts_for_the_conversation(
        client, shop, server):
    hear(client, shop, FULL, "IN1", remoteJidAlt=LID)
    work()
    switch_on(ANSWER)

    hear(client, shop, LID, "IN2")
    work()

    assert asked(server)[-1] == LID and the_only_conversation().ref == FULL


@pytest.mark.django_db(transaction=True)
def test_twenty_sends_at_once_to_a_new_phone_make_one_conversation(shop):
    begin = threading.Barrier(20, timeout=30)

    def one(number: int) -> str:
        begin.wait()
        try:
            return deliver.send(
                OutboundMessage(kind="text", to=SPELLINGS[number % len(SPELLINGS)], text="hi"),
                instance=shop, effect_key=f"e:{number}").state
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        states = set(threads.map(one, range(20)))

    assert states == {"succeeded"}
    assert OutboxMessage.objects.count() == 20 and the_only_conversation().ref == FULL
