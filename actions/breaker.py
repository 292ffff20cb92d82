"""A circuit breaker per address of agents and models, and account: what only fails is left alone.

After OMNI_BREAKER_FAILURES calls in a row that were not answered (not reached, not in time, broken
off) or answered with 5xx, calls end at once as `BreakerOpen`, for OMNI_BREAKER_SECONDS. Then one
call tries the address, while the others still end at once: an answer closes the breaker, a failure
opens it for as long again. Slow answers are answers, and so are refusals; calls that were put off
or refused by a limit of ours, and those that ended by anything else, say nothing.

Each process counts for itself: with several workers an address fails more often before it is left
alone everywhere, and is tried by each of them.
"""

import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from connections.http import bulkhead, client
from omni.errors import BreakerOpen, NotSent, UnknownOutcome
from omni.recent import Recent

_MOST = 10_000  # addresses that failed last; an older one is asked again
Key = tuple[int | None, client.Origin | None]  # account and address


@dataclass(slots=True)
class _Failures:
    """In a row, up to now. since: of the first (UTC). until: when the address is tried again, in
    monotonic seconds; 0 while it is asked. is_tried: a call is trying it right now.
    """

    since: datetime
    number: int = 0
    last: str = ""
    until: float = 0.0
    is_tried: bool = False


_failing: Recent[Key, _Failures] = Recent(_MOST)
_lock = threading.Lock()


class Client(client.Client):
    """`connections.http.client.Client` for agents and models, behind the breaker."""

    def request(self, method: str, path: str = "", **options: Any) -> client.Response:
        """As there; raises BreakerOpen too."""
        key = (bulkhead.account_at_work(), client.origin_of(self.base_url))
        is_trial = _let_through(key, client.place_of(self.base_url))
        try:
            response = super().request(method, path, **options)
        except (NotSent, UnknownOutcome) as exc:
            _failed(key, exc.message, is_trial=is_trial)
            raise
        except BaseException:
            _undecided(key, is_trial=is_trial)
            raise
        if response.status >= 500 and not response.is_rate_limited:
            _failed(key, f"it answered {response.status}", is_trial=is_trial)
        else:
            forget(key)
        return response


def forget(key: Key | None = None) -> None:
    """The failures of an address, None: of all."""
    with _lock:
        _failing.drop(list(_failing) if key is None else [key])


def _let_through(key: Key, address: str) -> bool:
    """Whether this call is the one that tries the address again. Raises BreakerOpen.

    address: as it may be shown.
    """
    now = time.monotonic()
    with _lock:
        known = _failing.get(key)
        if known is None or not known.until:
            return False
        if known.until > now or known.is_tried:
            raise _open(address, known, now)
        known.is_tried = True
        return True


def _failed(key: Key, reason: str, *, is_trial: bool) -> None:
    most = settings.OMNI_BREAKER_FAILURES
    if most <= 0:
        return
    with _lock:
        known = _failing.get(key) or _Failures(since=datetime.now(UTC))
        if known.until and not is_trial:
            return  # it began before the breaker opened
        known.number, known.last, known.is_tried = known.number + 1, reason, False
        if known.number >= most:
            known.until = time.monotonic() + settings.OMNI_BREAKER_SECONDS
        _failing.keep(key, known)


def _undecided(key: Key, *, is_trial: bool) -> None:
    with _lock:
        known = _failing.get(key)
        if known is not None and is_trial:
            known.is_tried = False


def _open(address: str, known: _Failures, now: float) -> BreakerOpen:
    left = max(known.until - now, 0.0)
    again = datetime.now(UTC) + timedelta(seconds=left)
    then = (f"it is tried again at {again:%H:%M:%S} UTC" if left
            else "a call is trying it right now")
    # Spread, so that the call that tries it has ended before the others come back.
    wait = left + random.uniform(1.0, max(2.0, settings.OMNI_BREAKER_SECONDS / 2))
    return BreakerOpen(
        f"{address} is left alone: it failed {known.number} times in a row since "
        f"{known.since:%Y-%m-%d %H:%M:%S} UTC, the last time: {known.last}; {then}",
        retry_after=wait)
