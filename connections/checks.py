"""System checks of settings of outbound calls."""

from typing import Any

from django.conf import settings
from django.core.checks import Error


def host_share(**_: Any) -> list[Error]:
    """A share is a part of a whole; a number of threads written there would be no limit at all."""
    if 0 < settings.OMNI_HOST_SHARE <= 1:
        return []
    return [Error(f"OMNI_HOST_SHARE is {settings.OMNI_HOST_SHARE:g}; it must be above 0 and at "
                  "most 1.", hint="It is the part of OMNI_WORKER_THREADS that calls to one host "
                  "may hold at once: 0.5 is half of them, 1 is all.", id="connections.E001")]
