"""Deliveries of the generic webhook, taken in by the front door, for tests of the archive."""

import json
from datetime import UTC, datetime

from connections.adapter import Delivery
from events.door.receive import receive
from events.models import RawPayload
from tests.factories import make_instance

MAPPED = {"event_type": "message.text", "id": "id", "text": "text"}


def make_shop(slug="shop", mapping=MAPPED):
    return make_instance(slug, settings={"mapping": mapping} if mapping else {},
                         credentials={"token": "t" * 20})


def deliver(shop, body, *, at=None):
    """Send a body (bytes or JSON) through the front door; returns its archive row."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    receive(Delivery(body=data, received_at=at or datetime.now(UTC),
                     headers={"content-type": "application/json", "x-webhook-token": "t" * 20}),
            provider=shop.provider, slug=shop.slug).result(5)
    return RawPayload.objects.latest("id")


def change_mapping(shop, **mapping):
    """What a person does after a mapping turned out to be wrong."""
    shop.settings = {"mapping": mapping or MAPPED}
    shop.save()
