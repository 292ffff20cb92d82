"""Names longer than a column stay apart: what they do not share counts, wherever it stands."""

import pytest

from events.models import Conversation, Event
from tests.events.deliveries import make_shop
from tests.factories import post_delivery

pytestmark = pytest.mark.django_db
TOKEN = {"x-webhook-token": "t" * 20}
LONG = "s" * 3000


def test_cloudevents_of_two_long_subjects_are_in_two_conversations(client):
    shop = make_shop(mapping=None)
    for number, subject in enumerate((f"{LONG}A", f"{LONG}B", f"{LONG}A")):
        post_delivery(client, shop, {"specversion": "1.0", "type": "x.y", "source": "/s",
                                     "id": str(number), "subject": subject},
                      content_type="application/cloudevents+json", **TOKEN)

    places = list(Event.objects.order_by("id").values_list("conversation_id", flat=True))
    assert places[0] == places[2] != places[1]
    assert Conversation.objects.count() == 2
    assert all(ref.startswith("sss") for ref in Conversation.objects.values_list("ref", flat=True))


@pytest.mark.parametrize("field", ["id", "message_id", "conversation", "sender", "target"])
def test_long_names_of_a_mapping_are_told_apart(client, field):
    shop = make_shop(mapping={"event_type": "message.text", field: "name", "text": "text"})
    for end in "AB":
        post_delivery(client, shop, {"name": f"{LONG}{end}", "text": "hi"}, **TOKEN)

    column = {"id": "dedup_key", "message_id": "provider_message_id",
              "conversation": "conversation_id", "sender": "actor_id",
              "target": "target_message_id"}[field]
    assert len(set(Event.objects.values_list(column, flat=True))) == 2


def test_long_mail_address_is_one_person_and_no_other(client):
    shop = make_shop(mapping={"event_type": "message.text", "id": "id", "sender": "from"})
    for number, sender in enumerate((f"{LONG}@a.pt", f"{LONG}@b.pt", f"{LONG}@a.pt")):
        post_delivery(client, shop, {"id": str(number), "from": sender}, **TOKEN)

    actors = list(Event.objects.order_by("id").values_list("actor_id", "conversation_id"))
    assert actors[0] == actors[2] != actors[1]
