"""Where a send goes: one conversation for all names of a place."""

import pytest

from connections.envelope import Place
from events.models import Conversation, ConversationAlias
from events.outbox import destinations
from events.people import conversations
from events.people.found import Found
from events.store import ingest
from omni.errors import InvalidInput
from tests.factories import make_draft, make_instance, make_unit

pytestmark = pytest.mark.django_db
PHONE, LID = "351922000002@s.whatsapp.net", "200000000000002@lid"


@pytest.fixture
def shop():
    return make_instance("shop")


def arrive(shop, ref, aliases=()):
    ingest.persist([make_unit(shop, make_draft(
        conversation_ref=ref, conversation_kind="direct", conversation_aliases=list(aliases),
        dedup_key=ref))])


@pytest.mark.parametrize("place", [
    Place(PHONE), Place(LID), Place("new@s.whatsapp.net", "direct", (LID,))])
def test_place_of_a_send_is_found_by_any_of_its_names(shop, place):
    arrive(shop, PHONE, [LID])

    assert destinations.of_place(shop, place) == Conversation.objects.get()


def test_place_of_a_send_is_made_with_its_kind(shop):
    made = destinations.of_place(shop, Place(PHONE, "direct", (LID,)))

    assert (made.ref, made.kind, made.instance) == (PHONE, "direct", shop)
    assert ConversationAlias.objects.get().ref == LID


def test_place_whose_remembered_row_is_gone_is_made_anew(shop):
    gone = Found()
    gone[(shop.pk, PHONE)] = 4_000_000_000
    conversations.remember(gone)

    assert destinations.of_place(shop, Place(PHONE)) == Conversation.objects.get()


def test_nameless_place_is_no_conversation(shop):
    with pytest.raises(InvalidInput, match="names no place"):
        destinations.of_place(shop, Place(""))


def test_typed_names_of_two_conversations_leave_them_two(shop):
    arrive(shop, PHONE)
    arrive(shop, LID)

    destinations.of_place(shop, Place(PHONE, "direct", (LID,)))

    assert Conversation.objects.kept().count() == 2


def test_merged_place_leads_to_the_one_that_was_kept(shop):
    arrive(shop, PHONE)
    arrive(shop, LID)
    ingest.persist([make_unit(shop, make_draft(
        conversation_ref=LID, conversation_kind="direct", conversation_aliases=[PHONE]))])

    assert destinations.of_place(shop, Place(LID)).ref == PHONE
