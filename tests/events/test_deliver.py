"""The outbox: at most one send per effect key, and an honest word about what became of it."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from connections.envelope import OutboundMessage, SendResult
from events import deliver
from events.models import Event, OutboxMessage
from omni.audit import AuditEntry
from omni.errors import InvalidInput, InvalidParams, NotSent, Rejected, UnknownOutcome
from tests.factories import ANA, make_conversation, make_event, make_evolution, make_unit

pytestmark = pytest.mark.django_db
SEND_TEXT = "/message/sendText/shop"
SENT = {"key": {"id": "BAE5", "remoteJid": ANA}, "status": "PENDING", "messageTimestamp": 1}


@pytest.fixture
def shop(httpserver):
    """A WhatsApp account whose server is the loopback server."""
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"))


def answers(httpserver, body=SENT, status=201, **headers):
    httpserver.expect_request(SEND_TEXT, method="POST").respond_with_json(
        body, status=status, headers=headers)


def text(words="hello", **fields):
    return OutboundMessage(**{"kind": "text", "to": ANA, "text": words, **fields})


def send(shop, key="e:1", words="hello", **options):
    return deliver.send(text(words), instance=shop, effect_key=key, **options)


def act(shop, outcome, key="e:1", **options):
    """An outward act that ends with `outcome`: a result, or an error to raise."""
    def call(reference):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return deliver.perform(instance=shop, effect_key=key, kind="http", recipient="x",
                           request={"a": 1}, call=call, **options)


def test_sent_message_is_an_outbound_event_with_its_reference(shop, httpserver):
    answers(httpserver)
    cause = make_event(shop, conversation=make_conversation(shop), hop=1)

    delivered = send(shop, conversation=cause.conversation, caused_by=cause, run_id=7)

    event, row = Event.objects.latest("id"), OutboxMessage.objects.get()
    assert (delivered.state, delivered.provider_message_id) == ("succeeded", "BAE5")
    assert delivered.event_id == event.pk == row.event_id
    assert (event.direction, event.source, event.text) == ("outbound", "api", "hello")
    assert (event.dedup_key, event.client_ref) == ("m:BAE5", "e:1")
    assert (event.caused_by_id, event.hop, event.trace_id) == (cause.pk, 2, cause.trace_id)
    assert event.conversation == cause.conversation and event.auto_generated
    assert (row.state, row.attempts, row.run_id) == ("succeeded", 1, 7)
    request = httpserver.log[0][0]
    assert request.json == {"number": ANA, "text": "hello"}
    assert request.headers["apikey"] == "k-secret"


def test_same_effect_key_sends_once(shop, httpserver):
    answers(httpserver)

    first, again = send(shop), send(shop)

    assert len(httpserver.log) == 1 and OutboxMessage.objects.count() == 1
    assert (first.duplicate, again.duplicate) == (False, True)
    assert again.provider_message_id == "BAE5" and again.event_id == first.event_id


def test_other_effect_key_sends_again(shop, httpserver):
    answers(httpserver)

    send(shop, "e:1")
    send(shop, "e:2")

    assert len(httpserver.log) == 2


@pytest.mark.parametrize(("outcome", "state", "code", "retryable"), [
    (SendResult("succeeded", provider_message_id="x"), "succeeded", "", False),
    (SendResult("rejected", error="no", error_code="400"), "rejected", "400", False),
    (SendResult("rejected", error="wait", error_code="429", retryable=True), "not_sent", "429",
     True),
    (NotSent("no connection"), "not_sent", "not_sent", True),
    (UnknownOutcome("no answer"), "unknown", "unknown_outcome", False),
    (Rejected("no"), "rejected", "rejected", False),
    (ZeroDivisionError("bug"), "unknown", "error", False)])
def test_every_end_of_a_call_is_kept(shop, outcome, state, code, retryable):
    delivered = act(shop, outcome)

    row = OutboxMessage.objects.get()
    assert (row.state, row.error_code, delivered.state) == (state, code, state)
    assert delivered.retryable is retryable and row.ended_at is not None


@pytest.mark.parametrize("outcome", [
    SendResult("rejected", error="no"), UnknownOutcome("no answer"), ZeroDivisionError("bug")])
def test_what_is_final_or_unknown_is_never_tried_again(shop, outcome):
    act(shop, outcome)

    again = act(shop, SendResult("succeeded"))

    assert again.duplicate and again.state != "succeeded"


@pytest.mark.parametrize("outcome", [
    NotSent("no connection"), SendResult("rejected", error="wait", retryable=True)])
def test_what_was_not_sent_is_tried_again_under_its_key(shop, outcome):
    act(shop, outcome)

    again = act(shop, SendResult("succeeded"))

    row = OutboxMessage.objects.get()
    assert (again.state, again.duplicate) == ("succeeded", False)
    assert (row.attempts, row.state) == (2, "succeeded")


def interrupted(shop, **fields):
    """A send whose process died in the middle."""
    return OutboxMessage.objects.create(**{
        "instance": shop, "effect_key": "e:1", "kind": "text", "recipient": ANA,
        "request": {"kind": "text", "to": ANA, "text": "hello"}, "request_hash": "x",
        "state": "sending", "token": "of another process", "attempts": 1,
        "started_at": timezone.now(), **fields})


@pytest.mark.parametrize("token", ["of another process", deliver.ONE_PROCESS])
def test_interrupted_send_of_a_run_becomes_unknown_and_is_not_repeated(shop, httpserver, token):
    interrupted(shop, run_id=7, token=token)

    delivered = send(shop, run_id=7)

    row = OutboxMessage.objects.get()
    assert (delivered.state, delivered.error_code) == ("unknown", "interrupted")
    assert row.state == "unknown" and httpserver.log == []


def test_send_of_a_person_that_is_under_way_is_not_repeated(shop, httpserver):
    interrupted(shop)

    with pytest.raises(InvalidInput) as refused:
        send(shop)

    assert refused.value.code == "in_flight" and httpserver.log == []


def test_old_send_of_a_person_that_was_interrupted_becomes_unknown(shop, httpserver):
    interrupted(shop, started_at=timezone.now() - timedelta(minutes=5))

    assert send(shop).state == "unknown" and httpserver.log == []


@pytest.mark.django_db(transaction=True)
def test_two_threads_with_one_key_send_once(shop, httpserver):
    answers(httpserver)
    states, gate = [], threading.Barrier(4)

    def run():
        gate.wait(10)
        try:
            states.append(send(shop).state)
        except InvalidInput as exc:
            states.append(exc.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(httpserver.log) == 1
    assert "succeeded" in states and set(states) <= {"succeeded", "in_flight"}


def test_attempt_is_on_record_before_the_call(shop):
    seen = []

    def call(reference):
        row = OutboxMessage.objects.get()
        seen.append((reference, row.state, row.attempts))
        return SendResult("succeeded")

    deliver.perform(instance=shop, effect_key="e:1", kind="http", recipient="", request={},
                    call=call)

    assert seen == [("e:1", "sending", 1)]


def test_outcome_that_cannot_be_recorded_is_unknown_for_the_next_who_comes(shop, httpserver,
                                                                          monkeypatch):
    answers(httpserver)
    with monkeypatch.context() as broken:
        def away(*_):
            raise OperationalError("gone")

        broken.setattr(deliver, "_finish", away)
        with pytest.raises(OperationalError):
            send(shop, run_id=7)

    assert send(shop, run_id=7).state == "unknown" and len(httpserver.log) == 1


def test_instance_that_is_not_set_up_sends_nothing(httpserver):
    shop = make_evolution()
    shop.settings = {"nonsense": 1}

    with pytest.raises(InvalidParams):
        send(shop)

    assert not OutboxMessage.objects.exists()


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b"])
def test_text_no_column_can_hold_is_sent_without_the_odd_character(shop, httpserver, words):
    answers(httpserver)

    delivered = send(shop, words=words)

    assert delivered.state == "succeeded"
    assert httpserver.log[0][0].json["text"] == "a\ufffdb"


def test_bytes_of_a_file_are_not_kept():
    message = OutboundMessage(kind="image", to=ANA, media={"base64": "Y2FuYXJ5", "mime": "a/b"})

    request = deliver.request_of(message)

    assert "Y2FuYXJ5" not in str(request) and request["media"]["mime"] == "a/b"


def unknown(shop, **fields):
    return interrupted(shop, **{"state": "unknown", "token": "", **fields})


def echo_of(shop, words="hello", **fields):
    return make_event(shop, **{"direction": "outbound", "source": "echo", "from_me": True,
                               "text": words, "provider_message_id": "BAE5", **fields})


@pytest.mark.parametrize("by", ["reference", "text"])
def test_echo_confirms_an_unknown_send(shop, by):
    chat = make_conversation(shop)
    row = unknown(shop, conversation=chat)
    echo = (echo_of(shop, "reworded", client_ref="e:1") if by == "reference"
            else echo_of(shop, conversation=chat))

    settled = deliver.confirm_from_echo(echo)

    row.refresh_from_db()
    assert settled == 1
    assert (row.state, row.resolution, row.provider_message_id) == ("succeeded", "echo", "BAE5")
    assert row.event == echo


@pytest.mark.parametrize("difference", [
    {"text": "other"}, {"direction": "inbound"}, {"source": "api"},
    {"occurred_at": timezone.now() - timedelta(minutes=11)}])
def test_event_that_is_not_its_echo_confirms_nothing(shop, difference):
    chat = make_conversation(shop)
    row = unknown(shop, conversation=chat)
    words = difference.pop("text", "hello")

    settled = deliver.confirm_from_echo(echo_of(shop, words, conversation=chat, **difference))

    row.refresh_from_db()
    assert (settled, row.state) == (0, "unknown")


def test_one_echo_confirms_the_oldest_of_equal_sends(shop):
    chat = make_conversation(shop)
    rows = [unknown(shop, conversation=chat, effect_key=f"e:{number}") for number in range(2)]

    deliver.confirm_from_echo(echo_of(shop, conversation=chat))

    assert [OutboxMessage.objects.get(pk=row.pk).state for row in rows] == ["succeeded", "unknown"]


@pytest.mark.parametrize(("word", "state"), [
    ("person_sent", "succeeded"), ("person_not_sent", "not_sent")])
def test_person_settles_an_unknown_send(shop, word, state):
    row = unknown(shop)

    deliver.resolve(row, word, actor="user:ana")

    row.refresh_from_db()
    assert (row.state, row.resolution) == (state, word)
    assert AuditEntry.objects.get().action == "send.resolved"


@pytest.mark.parametrize(("state", "word"), [("succeeded", "person_sent"), ("unknown", "maybe")])
def test_only_unknown_sends_are_settled_and_only_in_known_words(shop, state, word):
    row = unknown(shop, state=state)

    with pytest.raises(InvalidInput):
        deliver.resolve(row, word, actor="user:ana")

    assert not AuditEntry.objects.exists()


def test_sending_again_uses_a_new_key_each_time(shop, httpserver):
    answers(httpserver)
    row = unknown(shop)

    deliver.send_again(row, actor="user:ana")
    deliver.send_again(row, actor="user:ana")

    assert list(OutboxMessage.objects.order_by("id").values_list("effect_key", flat=True)) == [
        "e:1", "e:1:again:1", "e:1:again:2"]
    assert [log[0].json["text"] for log in httpserver.log] == ["hello", "hello"]


@pytest.mark.parametrize("fields", [
    {"state": "succeeded"}, {"state": "sending"}, {"kind": "http"},
    {"request": {"media": {"base64": "[sha256 x]"}}}])
def test_what_cannot_be_sent_again_is_refused(shop, httpserver, fields):
    row = unknown(shop, **fields)

    with pytest.raises(InvalidInput):
        deliver.send_again(row, actor="user:ana")

    assert httpserver.log == [] and not AuditEntry.objects.exists()


def test_signal_that_fails_is_no_error_and_leaves_no_row(shop, httpserver):
    httpserver.expect_request("/chat/sendPresence/shop").respond_with_data("", status=500)

    deliver.signal(OutboundMessage(kind="presence", to=ANA, content={"state": "typing"}),
                   instance=shop)

    assert len(httpserver.log) == 1 and not OutboxMessage.objects.exists()


def test_echo_of_a_send_is_the_same_event(shop, httpserver):
    from events import ingest
    from tests.factories import make_draft

    answers(httpserver)
    send(shop)

    ingest.persist([make_unit(shop, make_draft(
        "m:BAE5", text="hello", source="echo", direction="outbound", from_me=True), body=b"e")])

    assert Event.objects.count() == 1 and Event.objects.get().raw_id is not None


def test_answer_no_column_can_hold_is_no_reason_to_forget_the_send(shop):
    delivered = act(shop, SendResult("rejected", error="a\x00b", answer={"x": "\ud800"}))

    row = OutboxMessage.objects.get()
    assert (delivered.state, row.error, row.answer) == ("rejected", "a\ufffdb", {"x": "\ufffd"})
