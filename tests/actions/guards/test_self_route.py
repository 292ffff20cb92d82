import pytest

from actions.guards.self_route import SelfRouteParams, self_route
from events.models import Conversation


@pytest.fixture
def self_chat(instance):
    return Conversation.objects.create(instance=instance, kind="self", ref="5511900000000")


@pytest.mark.parametrize(("from_me", "in_self_chat", "params", "status"), [
    (True, False, {}, "stopped"),
    (False, False, {}, "done"),
    (True, True, {}, "done"),
    (True, True, {"when": "self_chat"}, "stopped"),
    (True, False, {"when": "self_chat"}, "done"),
    (True, False, {"mode": "pass"}, "done"),
    (False, False, {"mode": "pass"}, "stopped"),
    (True, True, {"when": "self_chat", "mode": "pass"}, "done"),
    (True, False, {"when": "self_chat", "mode": "pass"}, "stopped"),
])
def test_own_messages_and_self_chat_are_told_apart(say, context, chat, self_chat, from_me,
                                                   in_self_chat, params, status):
    event = say(from_me=from_me, conversation=self_chat if in_self_chat else chat)

    assert self_route(event, SelfRouteParams(**params), context).status == status


def test_what_omni_sent_never_passes(say, context, self_chat):
    event = say(from_me=True, conversation=self_chat, client_ref="omni:1")
    params = SelfRouteParams(when="self_chat", mode="pass")

    assert self_route(event, params, context).reason == "sent by Omni itself"


def test_event_without_conversation_is_no_self_chat(say, context):
    outcome = self_route(say(conversation=None), SelfRouteParams(), context)

    assert outcome.output == {"own": False, "self_chat": False}
