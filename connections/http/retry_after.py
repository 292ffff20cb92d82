"""How long the other side asks us to wait: the one reading of Retry-After. Pure."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 3600.0  # seconds; what others ask us to wait has no bounds
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def seconds(text: str, *, now: datetime | None = None) -> float | None:
    """Seconds from now, between 0 and LONGEST; None for no header and for what is none.

    text: delta-seconds or an HTTP date in any of its three forms; decimals, which some servers
    send, as well. A date that is past means 0. now: aware, the clock dates are measured by.
    Source: RFC 9110, 10.2.3 and 5.6.7.
    """
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return _bounded(float(text))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    try:
        return _bounded((until - (now or datetime.now(UTC))).total_seconds())
    except OverflowError:
        return None


def _bounded(wait: float) -> float:
    return min(max(wait, 0.0), LONGEST) if not math.isinf(wait) else LONGEST
