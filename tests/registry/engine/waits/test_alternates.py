"""What is waited for under one id of a place or person is met under every other."""

import pytest

from events.models import Contact, Conversation, Handle
from registry.engine.waits import alternates, waiting
from tests.factories import make_conversation, make_instance

pytestmark = pytest.mark.django_db


def test_digests_hold_every_id_of_the_place_the_person_and_their_handles():
    shop, person = make_instance(), Contact.objects.create()
    kept = make_conversation(shop, "kept")
    merged = Conversation.objects.create(instance=shop, ref="merged", merged_into=kept)
    phone, lid = (Handle.objects.create(provider="webhook", kind=kind, value="1", contact=person)
                  for kind in ("phone", "lid"))
    pairs = {"conversation_id": kept.pk, "actor_id": lid.pk, "direction": "inbound"}

    found = alternates.digests(pairs, alternates.of(pairs, [pairs]))

    assert found == {waiting.pairs_digest({**pairs, "conversation_id": place, "actor_id": who})[1]
                     for place in (kept.pk, merged.pk) for who in (phone.pk, lid.pk)}


def test_columns_nobody_waits_by_are_not_asked_for(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert alternates.of({"event_type", ""}, [{"conversation_id": 1}]) == {}


@pytest.mark.parametrize("value", ["4", True])
def test_value_that_is_no_id_stands_for_itself(value):
    pairs = {"conversation_id": value}

    assert alternates.digests(pairs, alternates.of(pairs, [pairs])) == {
        waiting.pairs_digest(pairs)[1]}


def test_pair_of_null_fits_nothing():
    pairs = {"conversation_id": None, "direction": "inbound"}

    assert alternates.digests(pairs, alternates.of(pairs, [pairs])) == set()
