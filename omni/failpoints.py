"""Named places where a test may kill, stop or delay the process, to prove what survives.

`OMNI_FAILPOINT=name:kill|raise|sleep[:seconds]` arms one point; it is refused outside test mode.
"""

import os
import signal
import time

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ACTIONS = ("kill", "raise", "sleep")


class FailpointReached(RuntimeError):
    """What an armed `raise` point throws."""


def _armed() -> tuple[str, str, float] | None:
    text = settings.OMNI_FAILPOINT
    if not text:
        return None
    if not settings.OMNI_TEST_MODE:
        raise ImproperlyConfigured("OMNI_FAILPOINT is for tests: it needs OMNI_TEST_MODE=1")
    name, _, rest = text.partition(":")
    action, _, seconds = rest.partition(":")
    if action not in ACTIONS:
        raise ImproperlyConfigured(f"OMNI_FAILPOINT: '{action}' is not one of {ACTIONS}")
    return name, action, float(seconds or 1)


def hit(name: str) -> None:
    """Does nothing, unless this point is the armed one."""
    if not settings.OMNI_FAILPOINT:
        return
    armed = _armed()
    if armed is None or armed[0] != name:
        return
    if armed[1] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed[1] == "raise":
        raise FailpointReached(name)
    time.sleep(armed[2])
