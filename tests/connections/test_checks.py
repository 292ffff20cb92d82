"""Settings of outbound calls that make no sense stop the start."""

import pytest
from django.core.checks import run_checks


@pytest.mark.parametrize(("share", "count"), [
    (0.5, 0), (1, 0), (0.01, 0), (0, 1), (-1, 1), (6, 1), (float("nan"), 1)])
def test_share_of_a_host_is_a_part_of_the_threads(settings, share, count):
    settings.OMNI_HOST_SHARE = share

    found = [message for message in run_checks() if message.id == "connections.E001"]

    assert len(found) == count
