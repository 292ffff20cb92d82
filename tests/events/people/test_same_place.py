"""Names and merges at the same moment: whoever is second sees what the first one stored."""

import pytest
from django.db import transaction

from events.models import ConversationAlias
from events.people import conversation_rows, same_place
from tests.factories import make_conversation, make_evolution
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "300000000000009@lid"


@pytest.fixture
def places():
    shop = make_evolution()
    return make_conversation(shop, "a@s.whatsapp.net"), make_conversation(shop, "b@s.whatsapp.net")


def name(place):
    with transaction.atomic():
        conversation_rows.add_aliases([((place.instance_id, NAME), place.pk)])


def merge(places):
    with transaction.atomic():
        same_place.hold([places[0].instance_id])
        same_place.join([place.pk for place in places])


def split(place):
    with transaction.atomic():
        same_place.hold([place.instance_id])
        same_place.split(place)


def leads_to():
    alias = ConversationAlias.objects.get(ref=NAME)
    return alias.conversation_id, alias.merged_from_id


def test_name_that_comes_during_a_merge_leads_to_the_conversation_that_is_kept(places):
    kept, merged = places
    with transaction.atomic():
        merge(places)
        other = Elsewhere(lambda: name(merged))
        other.waits_for()

    other.gives()

    assert leads_to() == (kept.pk, merged.pk)


def test_merge_takes_along_a_name_that_is_just_being_stored(places):
    kept, merged = places
    with transaction.atomic():
        name(merged)
        other = Elsewhere(lambda: merge(places))
        other.waits_for()

    other.gives()

    assert leads_to() == (kept.pk, merged.pk)


def test_split_gives_back_a_name_that_is_just_being_stored(places):
    merge(places)
    _, merged = places
    with transaction.atomic():
        name(merged)
        other = Elsewhere(lambda: split(merged))
        other.waits_for()

    other.gives()

    assert leads_to() == (merged.pk, None)
