"""When a failed step is tried again, and after how long."""

import random

from registry.language.definition import Retry

DEFAULT_ERRORS = frozenset({"timeout", "rate_limited", "network", "provider_5xx"})
CLASSES = {  # code of an outcome -> class a workflow can name
    "not_sent": "network", "network": "network", "timeout": "timeout",
    "rate_limited": "rate_limited", "provider_5xx": "provider_5xx", "unavailable": "provider_5xx",
    "breaker_open": "provider_5xx",
}
NEVER = frozenset({"unknown", "invalid", "denied", "stopped"})


def next_delay(attempt: int, *, first: float = 2.0, ceiling: float = 300.0,
               retry_after: float | None = None) -> float:
    """Seconds to wait after `attempt` failed tries.

    attempt: 1 or more. first, ceiling, retry_after: seconds.
    Doubles with every try and never exceeds `ceiling`; a delay the other side
    asked for wins over ours.
    Raises ValueError when attempt is below 1.
    Source: RFC 9110, section 10.2.3 (Retry-After).
    """
    if attempt < 1:
        raise ValueError(f"attempt must be 1 or more, not {attempt}")
    if retry_after is not None:
        return retry_after
    return min(first * 2 ** (attempt - 1), ceiling)


def delay_after(attempt: int, retry: Retry | None, *, code: str,
                retry_after: float | None = None) -> float | None:
    """Seconds until the next try of a step that failed with `code`, None when there is none."""
    if retry is None or attempt > retry.max or not is_retried(code, retry):
        return None
    if retry.backoff == "fixed":
        delay = retry.delay if retry_after is None else retry_after
    else:
        delay = next_delay(attempt, first=retry.delay, ceiling=retry.cap, retry_after=retry_after)
    return random.uniform(delay / 2, delay) if retry.jitter and retry_after is None else delay


def is_retried(code: str, retry: Retry) -> bool:
    if code in NEVER:
        return False
    wanted = frozenset(retry.errors) or DEFAULT_ERRORS
    return CLASSES.get(code, code) in wanted
