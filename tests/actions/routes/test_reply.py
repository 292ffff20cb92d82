import threading

import pytest

from actions import presence
from actions.routes.reply import ReplyParams, reply
from events.outbox.attempts import Delivered


def answer(say, context, text="one\n\ntwo", event=None, **params):
    quick = {"pause_min": 0, "pause_max": 0, **params}
    return reply(event or say(), ReplyParams(text=text, **quick), context)


def ended():
    """Wait for the marks that are on their way."""
    for thread in threading.enumerate():
        if thread.name == "typing":
            thread.join(10)


def test_paragraphs_are_sent_in_order_to_the_conversation(say, context, outbox, chat, signals):
    outcome = answer(say, context)

    assert outbox.texts == ["one", "two"]
    assert {message.to for message in outbox.messages} == {chat.ref}
    assert outcome.output["parts"] == [
        {"state": "succeeded", "provider_message_id": "id-1"},
        {"state": "succeeded", "provider_message_id": "id-2"}]


def test_each_message_has_an_effect_key_of_its_own(say, context, outbox, signals):
    answer(say, context)

    assert outbox.keys == ["omni:1:steps[0]:0", "omni:1:steps[0]:1"]


def test_run_that_continues_sends_only_the_rest(say, context, outbox, signals):
    outbox.answers = [Delivered("succeeded", 1, "id-1"),
                      Delivered("not_sent", 2, error="no network", error_code="not_sent")]

    first = answer(say, context)
    again = answer(say, context)

    assert (first.status, first.code) == ("failed", "not_sent")
    assert outbox.texts == ["one", "two", "two"] and again.status == "done"


def test_nothing_follows_a_message_that_did_not_go_out(say, context, outbox, signals):
    outbox.answers = [Delivered("unknown", 1, error="timeout", error_code="unknown_outcome")]

    outcome = answer(say, context)

    assert outcome.status == "unknown" and outbox.texts == ["one"]


@pytest.mark.parametrize(("delivered", "code", "retry_after"), [
    (Delivered("rejected", 1, error="no such number", error_code="bad_number"), "bad_number", None),
    (Delivered("rejected", 1), "rejected", None),
    (Delivered("not_sent", 1, error="slow down", error_code="rate_limited", retry_after=7.0),
     "rate_limited", 7.0),
    (Delivered("not_sent", 1, error_code="rate_limited"), "rate_limited", None),
    (Delivered("not_sent", 1, error_code="connect"), "not_sent", None),
])
def test_refusal_is_a_failure_with_its_code(say, context, outbox, signals, delivered, code,
                                            retry_after):
    outbox.answers = [delivered]

    outcome = answer(say, context)

    assert (outcome.status, outcome.code) == ("failed", code)
    assert outcome.output.get("retry_after") == retry_after and outcome.reason


@pytest.mark.parametrize("text", [None, "", " \n ", "AUTOMAGIK: nothing to say"])
def test_nothing_to_say_sends_nothing(say, context, outbox, signals, text):
    outcome = answer(say, context, text=text)

    assert (outcome.status, outbox.messages, signals) == ("skipped", [], [])


def test_text_stays_whole_without_split(say, context, outbox, signals):
    answer(say, context, split=False)

    assert outbox.texts == ["one\n\ntwo"]


def test_first_message_quotes_and_each_mentions_whom_it_writes(say, context, outbox, signals):
    event = say(provider_message_id="m1")
    answer(say, context, event=event, text="hi @447700900123\n\n@5511988887777", quote=True,
           mentions=["ana@lid"], mention_everyone=True)

    first, second = outbox.messages
    assert first.mentions == ["ana@lid", "447700900123"]
    assert (first.quote, first.target_message_id, first.mention_everyone) == (True, "m1", True)
    assert (second.mentions, second.quote, second.mention_everyone) == (
        ["5511988887777"], False, False)


def test_event_about_a_message_is_answered_by_quoting_that(say, context, outbox, signals):
    event = say(None, event_type="poll.vote", target_message_id="poll-1")

    answer(say, context, event=event, quote=True)

    assert outbox.messages[0].target_message_id == "poll-1"


def test_thread_is_kept(say, context, outbox, signals):
    answer(say, context, event=say(thread_ref="t1"))

    assert {message.thread_ref for message in outbox.messages} == {"t1"}


def test_typing_that_was_shown_is_taken_back_afterwards(say, context, signals):
    event = say()
    presence.show(event, context, "typing")

    answer(say, context, event=event)
    ended()

    assert signals == ["typing", "paused"]


def test_nothing_is_taken_back_where_nothing_was_shown(say, context, signals):
    answer(say, context)
    ended()

    assert signals == []


def test_answer_does_not_wait_until_typing_is_taken_back(say, context, monkeypatch):
    release, states = threading.Event(), []

    def signal(message, *, instance):
        states.append(message.content["state"])
        if message.content["state"] == "paused":
            release.wait(10)

    monkeypatch.setattr("events.outbox.deliver.signal", signal)
    event = say()
    presence.show(event, context, "typing")

    outcome = answer(say, context, event=event)

    assert outcome.status == "done" and not release.is_set()
    release.set()
    ended()
    assert states == ["typing", "paused"]


def test_pause_between_two_messages_is_as_long_as_wanted(say, context, monkeypatch, signals):
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)

    reply(say(), ReplyParams(text="one\n\ntwo\n\nthree"), context)

    assert len(pauses) == 2 and all(0.3 <= pause <= 1.0 for pause in pauses)


def test_number_may_be_said(say, context, outbox, signals):
    answer(say, context, text=42)

    assert outbox.texts == ["42"]


def test_event_without_conversation_cannot_be_answered(say, context, outbox):
    outcome = answer(say, context, event=say(conversation=None))

    assert (outcome.code, outbox.messages) == ("invalid", [])
