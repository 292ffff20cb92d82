"""System checks of settings that fit each other or make the front door refuse for ever."""

from typing import Any

from django.conf import settings
from django.core.checks import Error

from events.door.body_budget import most_at_once


def door_bytes(**_: Any) -> list[Error]:
    """The largest body that may come must fit what the door holds, or it is 503 each time."""
    most, room = settings.OMNI_WEBHOOK_MAX_BYTES, int(most_at_once(settings.OMNI_WEBHOOK_MAX_BYTES))
    if most <= room:
        return []
    return [Error(
        f"OMNI_WEBHOOK_MAX_BYTES is {most}, but large bodies have only {room} bytes, three "
        "quarters of OMNI_DOOR_BYTES_IN_FLIGHT: a larger one would be answered 503 for ever.",
        hint="Raise OMNI_DOOR_BYTES_IN_FLIGHT to 4/3 of OMNI_WEBHOOK_MAX_BYTES or more, or lower "
             "OMNI_WEBHOOK_MAX_BYTES.", id="events.E001")]
