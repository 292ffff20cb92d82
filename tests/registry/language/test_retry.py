"""When a failed step is tried again, and after how long."""

import pytest

from registry.language.definition import Retry
from registry.language.retry import delay_after, is_retried, next_delay


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 2.0), (2, 4.0), (9, 300.0), (40, 300.0)])
def test_delay_doubles_up_to_the_ceiling(attempt, seconds):
    assert next_delay(attempt) == seconds


def test_delay_the_other_side_asked_for_wins():
    assert next_delay(1, retry_after=1000.0) == 1000.0


def test_there_is_no_try_before_the_first():
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        next_delay(0)


@pytest.mark.parametrize(("code", "errors", "retried"), [
    ("timeout", (), True), ("network", (), True), ("not_sent", (), True),
    ("rate_limited", (), True), ("unavailable", (), True), ("provider_5xx", (), True),
    ("breaker_open", (), True),
    ("error", (), False), ("failed", (), False), ("not_configured", (), False),
    ("timeout", ("network",), False), ("not_sent", ("network",), True),
    ("http_418", ("http_418",), True),
    ("unknown", ("unknown",), False), ("invalid", ("invalid",), False),
    ("denied", ("denied",), False), ("stopped", ("stopped",), False)])
def test_class_of_an_error_says_whether_it_is_retried(code, errors, retried):
    assert is_retried(code, Retry(max=1, errors=errors)) is retried


@pytest.mark.parametrize(("attempt", "tried_again"), [(1, True), (2, True), (3, False)])
def test_max_counts_the_tries_after_the_first(attempt, tried_again):
    assert (delay_after(attempt, Retry(max=2), code="timeout") is not None) is tried_again


def test_step_without_retry_is_tried_once():
    assert delay_after(1, None, code="timeout") is None


@pytest.mark.parametrize(("retry", "seconds"), [
    (Retry(max=9, delay=3, backoff="fixed", jitter=False), [3, 3, 3]),
    (Retry(max=9, delay=3, cap=10, jitter=False), [3, 6, 10])])
def test_backoff_is_fixed_or_doubles(retry, seconds):
    assert [delay_after(attempt, retry, code="timeout") for attempt in (1, 2, 3)] == seconds


def test_jitter_takes_off_half_at_most():
    delays = [delay_after(2, Retry(max=2, delay=4), code="timeout") for _ in range(200)]

    assert 4 <= min(delays) < max(delays) <= 8


@pytest.mark.parametrize("backoff", ["fixed", "exponential"])
def test_asked_for_delay_is_kept_to_the_second(backoff):
    retry = Retry(max=1, delay=1, backoff=backoff)

    assert delay_after(1, retry, code="rate_limited", retry_after=77.0) == 77.0
