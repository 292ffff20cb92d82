"""An unsigned webhook, and what is posted to it, for tests with bad input."""

import hashlib

from events.models import RawPayload
from tests.factories import make_instance

MAPPING = {"event_type": "message.text", "id": "id", "text": "text", "time": "at",
           "sender": "from", "conversation": "chat"}


def make_shop():
    return make_instance("shop", settings={"verification": "none", "allow_unsigned": True,
                                           "mapping": MAPPING})


def post(client, body, content_type="application/json", **headers):
    return client.generic("POST", "/webhooks/webhook/shop/", body, content_type=content_type,
                          headers=headers)


def kept(body):
    """The only archive row, which must hold these bytes."""
    raw = RawPayload.objects.get()
    assert bytes(raw.body) == body and raw.size_bytes == len(body)
    assert raw.sha256 == hashlib.sha256(body).hexdigest()
    return raw
