import pytest

from actions.people import recipients
from actions.people.recipients import Person
from events.models import Contact, Conversation, ConversationAlias
from omni.errors import InvalidParams
from tests.factories import make_instance


@pytest.mark.parametrize("form", [int, str])
def test_number_of_a_conversation_leads_to_its_ref(chat, instance, form):
    found = recipients.find(form(chat.pk), instance=instance)

    assert (found.address, found.conversation) == (chat.ref, chat)


def test_ref_and_another_ref_lead_to_the_conversation_and_are_written_to(chat, instance):
    ConversationAlias.objects.create(instance=instance, ref="ana@lid", conversation=chat)

    found = [recipients.find(ref, instance=instance) for ref in (chat.ref, "ana@lid")]

    assert [(one.address, one.conversation) for one in found] == [
        (chat.ref, chat), ("ana@lid", chat)]


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


@pytest.mark.parametrize("given", [{}, {"handle": "+5511988887777"}])
def test_person_is_written_to_where_they_are(instance, ana, chat, say, given):
    say("hi")

    found = recipients.find(Person(contact_id=ana.pk, name="Ana", **given), instance=instance)

    assert (found.address, found.conversation) == (chat.ref, chat)


def test_handle_of_a_person_that_names_a_known_place_wins(instance, ana, chat, say):
    say("hi")
    other = Conversation.objects.create(instance=instance, ref="ana@example.org")

    found = recipients.find(Person(contact_id=ana.pk, handle=other.ref), instance=instance)

    assert found.conversation == other


def test_person_without_a_conversation_is_written_to_at_their_handle(instance, ana):
    ana.handles.get().instances.add(instance)

    found = recipients.find(Person(contact_id=ana.pk), instance=instance)

    assert (found.address, found.conversation) == ("+5511988887777", None)


def test_merged_person_is_the_one_that_was_kept(instance, ana, chat, say):
    say("hi")
    before = Contact.objects.create(name="Ana", merged_into=ana)

    assert recipients.find(Person(contact_id=before.pk), instance=instance).conversation == chat


@pytest.mark.parametrize("unknown", [True, False])
def test_contact_never_met_at_the_instance_is_nobody(ana, chat, say, unknown):
    say("hi")
    other, number = make_instance("other"), 4_000_000_000 if unknown else ana.pk

    with pytest.raises(InvalidParams, match="never met at instance 'other'"):
        recipients.find(Person(contact_id=number), instance=other)


@pytest.mark.parametrize("ref", ["5511988887777@s.whatsapp.net", "earlier"])
def test_ref_of_another_account_leads_to_no_conversation(instance, chat, ref):
    ConversationAlias.objects.create(instance=instance, ref="earlier", conversation=chat)

    assert recipients.find(ref, instance=make_instance("other")).conversation is None


def test_person_who_wrote_last_in_a_group_is_written_to_alone(instance, ana, chat, group, say):
    say("hi")
    say("hi all", conversation=group)

    assert recipients.find(Person(contact_id=ana.pk), instance=instance).conversation == chat


def test_person_of_the_people_an_account_no_longer_shares_is_nobody(instance, ana, say):
    say("hi")
    Contact.objects.filter(pk=ana.pk).update(people_group="others")

    with pytest.raises(InvalidParams, match="never met"):
        recipients.find(Person(contact_id=ana.pk), instance=instance)


def test_person_needs_a_handle_or_a_number():
    with pytest.raises(ValueError, match="handle or a contact_id"):
        Person(name="Ana")
