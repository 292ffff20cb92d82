import pytest
from pydantic import ValidationError

from actions.routes.send import SendParams, send
from tests.factories import make_instance


def test_text_goes_to_a_handle(say, context, outbox, instance):
    outcome = send(say(), SendParams(to="+447700900123", text="hello"), context)

    message = outbox.messages[0]
    assert (message.kind, message.to, message.text) == ("text", "+447700900123", "hello")
    assert outbox.options == [{"instance": instance, "conversation": None}]
    assert outcome.output == {"parts": [{"state": "succeeded", "provider_message_id": "id-1"}]}


def test_number_of_a_conversation_is_enough(say, context, outbox, chat):
    send(say(), SendParams(to=chat.pk, text="hello"), context)

    assert outbox.messages[0].to == chat.ref
    assert outbox.options[0]["conversation"] == chat


def test_other_instance_crosses_channels(say, context, outbox):
    other = make_instance("other")

    send(say(), SendParams(to="ops", instance="other", text="hello"), context)

    assert outbox.options[0]["instance"] == other


def test_reaction_is_about_the_events_message(say, context, outbox):
    event = say(provider_message_id="m1", from_me=True)

    send(event, SendParams(to=event.conversation_ref, reaction={"emoji": "👍"}), context)

    message = outbox.messages[0]
    assert (message.kind, message.target_message_id, message.target_from_me) == (
        "reaction", "m1", True)


def test_named_message_of_a_reaction_wins(say, context, outbox):
    event = say(provider_message_id="m1")
    params = SendParams(to="ana", reaction={"emoji": "", "message_id": "m2", "from_me": True})

    send(event, params, context)

    message = outbox.messages[0]
    assert (message.target_message_id, message.target_from_me) == ("m2", True)


def test_reaction_without_a_message_is_invalid(say, context, outbox):
    outcome = send(say(), SendParams(to="ana", reaction={"emoji": "👍"}), context)

    assert (outcome.code, outbox.messages) == ("invalid", [])


@pytest.mark.parametrize("text", [None, "", "AUTOMAGIK: quiet"])
def test_nothing_to_say_sends_nothing(say, context, outbox, text):
    outcome = send(say(), SendParams(to="ana", text=text), context)

    assert (outcome.status, outbox.messages) == ("skipped", [])


def test_recipient_is_required():
    with pytest.raises(ValidationError):
        SendParams(text="hello")
