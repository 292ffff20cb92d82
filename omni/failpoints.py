"""Named places where a test may kill, stop or delay the process, to prove what survives.

`OMNI_FAILPOINT=name:kill|raise[:number]` arms one point, each time it is reached or only the
number-th time in a process; `name:sleep[:seconds]` delays. It is refused outside test mode.
"""

import os
import signal
import time
from collections import Counter

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

ACTIONS = ("kill", "raise", "sleep")


_reached: Counter[str] = Counter()


class FailpointReached(RuntimeError):
    """What an armed `raise` point throws."""


def _armed() -> tuple[str, str, float | None] | None:
    text = settings.OMNI_FAILPOINT
    if not text:
        return None
    if not settings.OMNI_TEST_MODE:
        raise ImproperlyConfigured("OMNI_FAILPOINT is for tests: it needs OMNI_TEST_MODE=1")
    name, _, rest = text.partition(":")
    action, _, number = rest.partition(":")
    if action not in ACTIONS:
        raise ImproperlyConfigured(f"OMNI_FAILPOINT: '{action}' is not one of {ACTIONS}")
    return name, action, float(number) if number else None


def hit(name: str) -> None:
    """Does nothing, unless this point is the armed one."""
    if not settings.OMNI_FAILPOINT:
        return
    armed = _armed()
    if armed is None or armed[0] != name:
        return
    _, action, number = armed
    if action == "sleep":
        time.sleep(number or 1.0)
        return
    _reached[name] += 1
    if number is not None and _reached[name] != number:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointReached(name)
