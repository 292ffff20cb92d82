import pytest
from pydantic import ValidationError

from actions.models import Memory
from actions.persist.memory_update import MemoryUpdateParams, remember
from events.models import Contact, Handle
from tests.factories import make_conversation, make_instance


@pytest.fixture
def met(instance, ana):
    """Ana was met at the instance."""
    ana.handles.get().instances.add(instance)
    return ana


def keep(event, context, text="likes tea", **params):
    return remember(event, MemoryUpdateParams(text=text, **params), context)


def test_memory_is_about_the_person_of_the_event(say, context, ana, chat):
    event = say()

    outcome = keep(event, context)

    memory = Memory.objects.get()
    assert outcome.output == {"memory_id": memory.pk}
    assert (memory.text, memory.contact, memory.conversation) == ("likes tea", ana, chat)
    assert (memory.instance, memory.event, memory.run_id) == (context.instance, event, 1)


def test_step_that_is_done_again_keeps_one_memory(say, context):
    event = say()

    first, again = keep(event, context), keep(event, context, "likes coffee")

    assert first.output == again.output
    assert Memory.objects.get().text == "likes tea"


def test_where_nobody_is_there_it_is_about_the_conversation(say, context, instance):
    own = make_conversation(instance, "me", kind="self")

    keep(say(contact=None, conversation=own), context)

    assert (Memory.objects.get().contact, Memory.objects.get().conversation) == (None, own)


@pytest.mark.parametrize("about", [
    "+5511988887777", "5511988887777", "5511988887777@s.whatsapp.net", "number"])
def test_memory_can_be_about_somebody_named(say, context, met, about):
    event = say(contact=None)

    keep(event, context, about=met.pk if about == "number" else about)

    assert Memory.objects.get().contact == met


def test_memory_goes_to_the_contact_that_was_kept(say, context, ana):
    kept = Contact.objects.create(name="Ana Maria")
    ana.merged_into = kept
    ana.save()

    keep(say(), context)

    assert Memory.objects.get().contact == kept


def test_person_only_another_instance_met_cannot_be_named(say, context, instance):
    stranger = Contact.objects.create(name="Bo")
    handle = Handle.objects.create(provider=instance.provider, kind="phone", value="+4912345678",
                                   contact=stranger)
    handle.instances.add(make_instance("desk"))

    outcomes = [keep(say(), context, about=about) for about in ("+4912345678", stranger.pk)]

    assert [outcome.code for outcome in outcomes] == ["invalid", "invalid"]
    assert not Memory.objects.exists()


@pytest.mark.parametrize("text", ["", "  ", None])
def test_nothing_is_kept_of_nothing(say, context, text):
    assert keep(say(), context, text).status == "skipped"
    assert not Memory.objects.exists()


def test_event_of_nobody_and_nowhere_is_about_nothing(say, context):
    assert keep(say(contact=None, conversation=None), context).code == "invalid"


def test_signs_the_database_cannot_hold_are_replaced(say, context):
    keep(say(), context, "tea\x00")

    assert Memory.objects.get().text.startswith("tea")


def test_text_beyond_the_limit_is_refused():
    with pytest.raises(ValidationError):
        MemoryUpdateParams(text="a" * 4001)
