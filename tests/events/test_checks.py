"""Settings of the front door that do not fit each other stop the start."""

import pytest
from django.core.checks import run_checks

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(("largest", "in_flight", "count"), [
    (64, 256, 0), (192, 256, 0), (193, 256, 1), (64, 64, 1)])
def test_largest_body_must_fit_what_the_door_holds(settings, largest, in_flight, count):
    settings.OMNI_WEBHOOK_MAX_BYTES = largest * MEGABYTE
    settings.OMNI_DOOR_BYTES_IN_FLIGHT = in_flight * MEGABYTE

    found = [message for message in run_checks() if message.id == "events.E001"]

    assert len(found) == count
    assert all("OMNI_WEBHOOK_MAX_BYTES" in message.msg
               and "OMNI_DOOR_BYTES_IN_FLIGHT" in message.msg for message in found)
