"""`workflow.retry_policy`: whether and when something is tried again, as steps are."""

import pytest

from tests.registry.blocks.called import call


@pytest.mark.parametrize(("given", "retry", "delay", "reason"), [
    ({"code": "timeout"}, True, 2.0, ""), ({"code": "timeout", "attempt": 3}, True, 8.0, ""),
    ({"code": "timeout", "attempt": 4}, False, 0.0, "all 3 retries are used"),
    ({"code": "invalid"}, False, 0.0, "'invalid' is not tried again"),
    ({"code": "timeout", "retry_after": 30}, True, 30.0, ""),
    ({"code": "timeout", "attempt": 3, "backoff": "fixed", "delay": "5s"}, True, 5.0, ""),
    ({"code": "timeout", "attempt": 3, "cap": "5s"}, True, 5.0, ""),
    ({"code": "sold_out", "errors": ["sold_out"]}, True, 2.0, ""),
    ({"code": "timeout", "errors": ["network"]}, False, 0.0, "'timeout' is not tried again")])
def test_policy_is_that_of_steps(given, retry, delay, reason):
    assert call("workflow.retry_policy", **given).output == {
        "retry": retry, "delay_s": delay, "reason": reason}
