"""The outbox: every effect at most once, whatever the other side or the process does."""

import json
import uuid
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from connections.envelope import OutboundMessage, SendResult
from connections.http import bulkhead
from connections.http.client import Client
from events.models import Event, OutboxMessage
from events.outbox import deliver
from events.store import ingest
from omni.errors import Held, InvalidInput, NotSent, RateLimited, UnknownOutcome
from tests.factories import make_conversation, make_draft, make_event, make_instance, make_unit
from tests.full_host import full_host
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(httpserver):
    return make_instance("shop", settings={"send_url": httpserver.url_for("/out"),
                                           "send_timeout": 2})


@pytest.fixture
def answers(httpserver):
    """Say what the target answers: `answers({"id": "m1"}, 200)`."""
    def answer(body=None, status=200):
        httpserver.clear_all_handlers()
        httpserver.expect_request("/out", method="POST").respond_with_json(body or {},
                                                                           status=status)
    return answer


def send(shop, key="omni:1:steps[0]:0", text="hi", **more):
    return deliver.send(OutboundMessage(kind="text", to="ana", text=text), instance=shop,
                        effect_key=key, **more)


def perform(shop, call, **more):
    return deliver.perform(**{"instance": shop, "effect_key": "e:1", "kind": "http",
                              "recipient": "peer", "request": {"a": 1}, "call": call, **more})


def interrupted(shop, key="omni:1:steps[0]:0", **fields):
    """What a process that was killed while it sent leaves behind."""
    return OutboxMessage.objects.create(**{
        "instance": shop, "effect_key": key, "kind": "text", "recipient": "ana",
        "request": {"text": "hi"}, "request_hash": "x", "state": "sending", "attempts": 1,
        "token": uuid.uuid4().hex, "run_id": 7, "started_at": timezone.now(), **fields})


def raw_parameters():
    parameters = connection.get_connection_params()
    return {name: value for name, value in parameters.items()
            if name not in ("cursor_factory", "context", "prepare_threshold")}


def test_message_goes_out_once_per_effect_key(shop, answers, httpserver):
    answers({"id": "m1"})

    first = send(shop)
    second = send(shop)

    assert (first.state, first.provider_message_id, first.duplicate) == ("succeeded", "m1", False)
    assert (second.state, second.provider_message_id, second.duplicate) == ("succeeded", "m1", True)
    assert len(httpserver.log) == 1 and OutboxMessage.objects.count() == 1


def test_other_side_is_given_the_effect_key(shop, answers, httpserver):
    answers()
    send(shop, key="omni:5:steps[2]:0")

    assert httpserver.log[0][0].headers["idempotency-key"] == "omni:5:steps[2]:0"


def test_sent_message_is_an_outbound_event_linked_to_its_cause(shop, answers):
    answers({"id": "m1"})
    place = make_conversation(shop, "ana")
    cause = make_event(shop, hop=2, conversation=place)

    sent = send(shop, conversation=place, caused_by=cause, run_id=7)

    event = Event.objects.get(pk=sent.event_id)
    assert (event.event_type, event.direction, event.source, event.text) == (
        "message.text", "outbound", "api", "hi")
    assert (event.caused_by_id, event.hop, event.trace_id) == (cause.pk, 3, cause.trace_id)
    assert (event.conversation_id, event.provider_message_id) == (place.pk, "m1")
    assert event.from_me and event.auto_generated and event.sent_by_omni
    row = OutboxMessage.objects.get()
    assert (row.state, row.event_id, row.run_id, row.attempts) == ("succeeded", event.pk, 7, 1)


@pytest.mark.parametrize(("status", "state", "code"), [
    (400, "rejected", "http_400"), (404, "rejected", "http_404"), (429, "not_sent", "rate_limited"),
    (500, "unknown", "http_500"), (503, "unknown", "http_503"), (409, "unknown", "http_409")])
def test_answer_of_the_other_side_is_the_state(shop, answers, status, state, code):
    answers(status=status)

    sent = send(shop)

    assert (sent.state, sent.error_code, sent.event_id) == (state, code, None)
    assert OutboxMessage.objects.get().state == state and not Event.objects.exists()


@pytest.mark.parametrize("status", [400, 500])
def test_settled_send_is_not_made_again(shop, answers, httpserver, status):
    answers(status=status)
    before = send(shop)
    answers({"id": "m1"})

    again = send(shop)

    assert (again.state, again.duplicate) == (before.state, True) and len(httpserver.log) == 1


def test_what_never_left_is_tried_again_under_the_same_key(shop, answers, httpserver):
    shop.settings = {"send_url": "http://127.0.0.1:9/out"}
    first = send(shop)
    shop.settings = {"send_url": httpserver.url_for("/out")}
    answers({"id": "m1"})

    second = send(shop)

    assert (first.state, first.retryable, second.state) == ("not_sent", True, "succeeded")
    assert not second.duplicate and OutboxMessage.objects.get().attempts == 2


@pytest.mark.parametrize(("error", "state", "retryable"), [
    (NotSent("refused"), "not_sent", True), (UnknownOutcome("cut off"), "unknown", False),
    (RateLimited("slower", retry_after=5), "not_sent", True),
    (InvalidInput("wrong"), "rejected", False)])
def test_error_of_the_call_is_an_outcome(shop, error, state, retryable):
    def call(key):
        raise error

    told = perform(shop, call)

    assert (told.state, told.retryable, told.error) == (state, retryable, error.message)


def test_act_that_is_no_message_leaves_no_event(shop):
    told = perform(shop, lambda key: SendResult("succeeded", answer={"status": 204}))

    assert told.state == "succeeded" and not Event.objects.exists()
    assert OutboxMessage.objects.get().answer == {"status": 204}


@pytest.mark.django_db(transaction=True)
def test_attempt_is_seen_by_others_before_the_call_and_a_second_one_finds_it(shop):
    seen = []

    def call(key):
        with psycopg.connect(**raw_parameters()) as other:
            seen.append(other.execute("SELECT state FROM omni_outbox WHERE effect_key = %s",
                                      [key]).fetchone())
        return SendResult("succeeded")

    first, second = perform(shop, call), perform(shop, call)

    assert seen == [("sending",)]
    assert (first.duplicate, second.duplicate, second.state) == (False, True, "succeeded")


def test_send_of_a_run_that_was_interrupted_is_unknown_and_never_made_again(shop, answers,
                                                                           httpserver):
    answers({"id": "m1"})
    interrupted(shop)

    told = send(shop, run_id=7)

    row = OutboxMessage.objects.get()
    assert (told.state, told.error_code, told.duplicate) == ("unknown", "interrupted", True)
    assert (row.state, row.attempts) == ("unknown", 1) and httpserver.log == []


@pytest.mark.parametrize(("minutes", "state"), [(0, None), (3, "unknown")])
def test_send_of_another_web_process_is_in_flight_for_two_minutes(shop, answers, minutes, state):
    answers()
    interrupted(shop, run_id=None, started_at=timezone.now() - timedelta(minutes=minutes))

    if state is None:
        with pytest.raises(InvalidInput, match="being sent") as refused:
            send(shop)
        assert refused.value.code == "in_flight"
    else:
        assert send(shop).state == state


@pytest.mark.parametrize("order", ["echo first", "answer first"])
def test_echo_of_the_provider_and_our_record_are_one_event(shop, answers, order):
    cause = make_event(shop)
    echo = make_unit(shop, make_draft(
        "m:m1", text="hi", direction="outbound", from_me=True, provider_message_id="m1"),
        body=b'{"echo": 1}')
    answers({"id": "m1"})

    if order == "echo first":
        ingest.persist([echo])
    sent = send(shop, caused_by=cause)
    if order == "answer first":
        ingest.persist([echo])

    event = Event.objects.get(provider_message_id="m1")
    assert (event.pk, event.client_ref, event.caused_by_id) == (
        sent.event_id, "omni:1:steps[0]:0", cause.pk)
    assert (event.hop, event.trace_id, event.auto_generated) == (1, cause.trace_id, True)
    assert event.raw_id is not None


def test_bytes_of_a_file_are_kept_by_digest_only(shop, answers):
    answers({"id": "m1"})
    deliver.send(OutboundMessage(kind="image", to="ana", media={"base64": "QUJD", "mime": "a/b"}),
                 instance=shop, effect_key="e:1")

    media = OutboxMessage.objects.get().request["media"]
    assert media["base64"].startswith("[sha256 ") and "QUJD" not in json.dumps(media)


def test_signal_that_fails_is_no_error_and_leaves_no_row(shop, answers):
    answers(status=500)

    deliver.signal(OutboundMessage(kind="presence", to="ana", content={"state": "typing"}),
                   instance=shop)

    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_effect_that_two_try_again_at_once_is_done_once():
    """The first try did not leave this machine."""
    shop, made = make_instance(), []

    def call(key):
        made.append(key)
        return SendResult("succeeded") if len(made) > 1 else SendResult("not_sent")

    perform(shop, call)
    with transaction.atomic():
        OutboxMessage.objects.select_for_update().get()
        other = Elsewhere(lambda: perform(shop, call))
        assert other.waits_for()
        perform(shop, call)
    again = other.gives()

    assert (again.state, again.duplicate, len(made)) == ("succeeded", True, 2)


def test_send_that_is_put_off_writes_down_no_attempt(shop, answers, httpserver, settings):
    answers({"id": "m1"})
    with full_host(httpserver.url_for(""), settings), bulkhead.step_of(1, repeatable=False), \
            pytest.raises(Held, match="OMNI_HOST_SHARE"):
        send(shop, run_id=7)
    before = OutboxMessage.objects.count()

    with bulkhead.step_of(1, repeatable=False):
        sent = send(shop, run_id=7)

    assert (before, sent.state, OutboxMessage.objects.get().attempts) == (0, "succeeded", 1)


def test_act_that_is_put_off_inside_its_call_is_not_sent_and_may_be_done_later(
        shop, answers, httpserver, settings):
    answers({"id": "m1"})

    def call(_key):
        Client(httpserver.url_for("/out")).request("POST")
        return SendResult("succeeded")

    with full_host(httpserver.url_for(""), settings), bulkhead.step_of(1, repeatable=False), \
            pytest.raises(Held) as held:
        perform(shop, call, run_id=7)
    row = OutboxMessage.objects.get()

    assert (row.state, row.error_code, httpserver.log) == ("not_sent", "held", [])
    assert held.value.retry_after > 0
    assert perform(shop, call, run_id=7).state == "succeeded"
