import pytest

from actions import recipients
from events.models import Conversation, ConversationAlias
from omni.errors import InvalidParams
from tests.factories import make_instance


@pytest.mark.parametrize("form", [int, str])
def test_number_of_a_conversation_leads_to_its_ref(chat, instance, form):
    found = recipients.find(form(chat.pk), instance=instance)

    assert (found.address, found.conversation) == (chat.ref, chat)


def test_ref_and_earlier_ref_lead_to_the_conversation(chat, instance):
    ConversationAlias.objects.create(instance=instance, ref="ana@lid", conversation=chat)

    found = [recipients.find(ref, instance=instance) for ref in (chat.ref, "ana@lid")]

    assert [one.address for one in found] == [chat.ref, chat.ref]


def test_ref_of_digits_wins_over_a_conversation_number(chat, instance):
    channel = Conversation.objects.create(instance=instance, ref=str(chat.pk))

    assert recipients.find(str(chat.pk), instance=instance).conversation == channel


@pytest.mark.parametrize("handle", ["+5511988887777", 5511988887777, "ana@example.org", "4242"])
def test_anything_else_is_a_handle(instance, handle):
    found = recipients.find(handle, instance=instance)

    assert (found.address, found.conversation) == (str(handle), None)


def test_conversation_of_another_instance_is_unknown(chat):
    other = make_instance("other")

    with pytest.raises(InvalidParams, match="'other' has no conversation"):
        recipients.find(chat.pk, instance=other)


@pytest.mark.parametrize("to", ["", "  "])
def test_nobody_is_no_recipient(instance, to):
    with pytest.raises(InvalidParams, match="empty"):
        recipients.find(to, instance=instance)


@pytest.mark.parametrize("fields", [{"enabled": False}, None])
def test_instance_must_exist_and_be_enabled(instance, fields):
    if fields:
        make_instance("other", **fields)

    with pytest.raises(InvalidParams, match="'other'"):
        recipients.instance_of("other", default=instance)
