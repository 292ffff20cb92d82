"""Whether something that failed is to be tried again, by the rules steps are tried again by."""

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done
from events.models import Event
from registry.language.definition import Retry
from registry.language.durations import seconds
from registry.language.retry import delay_after


class RetryPolicyParams(Params):
    attempt: int = Field(1, ge=1, le=1000, description="Tries so far.")
    code: str = Field(description="How it failed: steps.<id>.error.code.")
    retry_after: float | None = Field(None, ge=0, description="Seconds the other side asked for.")
    max: int = Field(3, ge=0, le=20, description="Tries after the first.")
    delay: str = Field("2s", description="Before the first retry.")
    backoff: str = Field("exponential", pattern="^(fixed|exponential)$", description="How the "
                         "delay grows.")
    cap: str = Field("300s", description="Longest delay.")
    errors: list[str] = Field([], description="Classes or codes that are tried again; empty: "
                              "timeout, rate_limited, network, provider_5xx.")


class RetryPolicyOutput(Output):
    retry: bool = Field(False, description="Whether to try again.")
    delay_s: float = Field(0.0, description="After so many seconds.")
    reason: str = Field("", description="Why not.")


@action("workflow.retry_policy", params=RetryPolicyParams, output=RetryPolicyOutput, timeout=5.0)
def retry_policy(event: Event, params: RetryPolicyParams, context: Context) -> Outcome:
    """Say whether and when something that failed is to be tried again."""
    policy = Retry(max=params.max, delay=seconds(params.delay), cap=seconds(params.cap),
                   backoff="fixed" if params.backoff == "fixed" else "exponential", jitter=False,
                   errors=tuple(params.errors))
    delay = delay_after(params.attempt, policy, code=params.code, retry_after=params.retry_after)
    if delay is not None:
        return done(retry=True, delay_s=delay, reason="")
    why = (f"all {params.max} retries are used" if params.attempt > params.max
           else f"'{params.code}' is not tried again")
    return done(retry=False, delay_s=0.0, reason=why)
