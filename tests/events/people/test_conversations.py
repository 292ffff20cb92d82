"""Conversations: one row per place, whatever name it is called by."""

import pytest
from django.test import TestCase

from events.models import Contact, Conversation, ConversationAlias, Event
from events.people import conversation_rows, conversations
from events.store import ingest
from omni.recent import Recent
from tests.factories import make_draft, make_instance, make_unit

pytestmark = pytest.mark.django_db
PHONE, LID = "351922000002@s.whatsapp.net", "200000000000002@lid"


@pytest.fixture
def shop():
    return make_instance("shop")


def arrive(shop, *places, kind="direct", **fields):
    """One batch of messages. places: (ref, aliases)."""
    ingest.persist([make_unit(shop, make_draft(
        conversation_ref=ref, conversation_aliases=list(aliases), conversation_kind=kind, **fields))
        for ref, aliases in places])


@pytest.mark.parametrize(("first", "second"), [
    ((PHONE, [LID]), (LID, [])), ((LID, [PHONE]), (PHONE, [])),
    ((PHONE, []), (LID, [PHONE])), ((LID, []), (PHONE, [LID])),
    ((PHONE, [LID]), (LID, [PHONE]))])
@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("remembered", [True, False])
def test_names_that_arrived_together_lead_to_one_conversation(
        shop, first, second, batches, remembered):
    if batches == 1:
        arrive(shop, first, second)
    else:
        arrive(shop, first)
        if not remembered:
            conversations.forget()
        arrive(shop, second)

    assert Conversation.objects.count() == 1
    assert set(Event.objects.values_list("conversation_id", flat=True)) == {
        Conversation.objects.get().pk}


def test_alias_that_arrives_for_a_remembered_conversation_is_kept(shop):
    arrive(shop, (PHONE, []))
    arrive(shop, (PHONE, [LID]))

    arrive(shop, (LID, []))

    assert Conversation.objects.get().ref == PHONE
    assert ConversationAlias.objects.get().ref == LID


def test_alias_of_the_first_of_two_messages_in_a_batch_is_kept(shop):
    arrive(shop, (PHONE, [LID]), (PHONE, []))

    assert ConversationAlias.objects.get().ref == LID


def test_same_ref_at_two_instances_is_two_conversations(shop):
    arrive(shop, (PHONE, []))
    arrive(make_instance("desk"), (PHONE, []))

    assert Conversation.objects.count() == 2


def test_event_without_a_place_has_no_conversation(shop):
    arrive(shop, ("", []))

    assert not Conversation.objects.exists()
    assert Event.objects.get().conversation_id is None


@pytest.mark.parametrize("remembered", [True, False])
def test_kind_is_filled_in_when_it_becomes_known(shop, remembered):
    arrive(shop, ("team@g.us", []), kind="")
    if not remembered:
        conversations.forget()

    arrive(shop, ("team@g.us", []), kind="group")

    assert Conversation.objects.get().kind == "group"


def test_kind_that_is_known_never_changes(shop):
    arrive(shop, ("team@g.us", []), kind="group")

    arrive(shop, ("team@g.us", []), kind="direct")

    assert Conversation.objects.get().kind == "group"


def test_conversation_event_renames_and_a_message_does_not(shop):
    arrive(shop, ("team@g.us", []), conversation_title="Old")
    arrive(shop, ("team@g.us", []), conversation_title="New", event_type="conversation.updated")
    arrive(shop, ("team@g.us", []), conversation_title="Stale")

    assert Conversation.objects.get().title == "New"


def test_what_was_rolled_back_is_not_remembered(shop):
    bad = make_draft(conversation_ref=PHONE, provider_sequence="many")

    with pytest.raises(Exception, match="many"):
        ingest.persist([make_unit(shop, bad)])
    arrive(shop, (PHONE, []))

    assert Event.objects.get().conversation == Conversation.objects.get()


def test_kind_is_filled_in_also_when_much_was_seen_since(shop, monkeypatch):
    """A conversation whose kind is open is remembered as long as its name."""
    for name in ("_known", "_kindless"):
        monkeypatch.setattr(conversations, name, Recent(3))
    first, *others = (f"5500000000{number}@s.whatsapp.net" for number in range(4))
    remembering(arrive)(shop, (first, []), kind="")
    for other in others:
        remembering(arrive)(shop, (other, []), (first, []), kind="")

    remembering(arrive)(shop, (first, []), kind="direct")

    assert Conversation.objects.get(ref=first).kind == "direct"
    assert len(conversations._known) == len(conversations._kindless) + 1 == 3


def remembering(work):
    """Do it, and what follows the commit."""
    def done(*args, **options):
        with TestCase.captureOnCommitCallbacks(execute=True):
            work(*args, **options)

    return done


def test_name_that_was_taken_away_says_nothing_of_whose_the_conversation_is():
    place = Conversation.objects.create(instance=make_instance(), ref="ana", kind="direct",
                                        kept_apart=[7])
    bob = Contact.objects.create(name="Bob")

    conversation_rows.fill_contacts({place.pk: (bob.pk, "taken")})
    place.refresh_from_db()
    assert place.contact_id is None

    conversation_rows.fill_contacts({place.pk: (bob.pk, "ana")})
    place.refresh_from_db()
    assert place.contact_id == bob.pk
