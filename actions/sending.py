"""What deliveries come to, as a step's outcome: one table for every action that sends."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from actions.base import Outcome, Output, done, failed
from events.outbox.attempts import Delivered


class Part(BaseModel):
    """One message that went out, or did not."""

    state: str = Field(description="succeeded, rejected, not_sent or unknown.")
    provider_message_id: str | None = Field(None, description="The provider's id of the message.")


class Sent(Output):
    """Output of actions that send."""

    parts: list[Part] = Field([], description="One entry per message, in order.")
    repeatable: bool = Field(False, description="Unknown, and the target takes a repetition "
                             "for the same message: `retry` may try again.")
    retry_after: float | None = Field(None, description="Seconds the provider asked us to wait.")


def outcome_of(parts: Sequence[Delivered]) -> Outcome:
    """The outcome of one or several deliveries; the last decides, as nothing follows a failure.

    unknown: it may have gone out; repeatable where the target honours our keys. failed with code
    not_sent or rate_limited may be retried: parts that went out are not sent again.
    """
    output: dict[str, Any] = {"parts": [
        {"state": part.state, "provider_message_id": part.provider_message_id} for part in parts]}
    last = parts[-1]
    if last.state == "succeeded":
        return done(**output)
    reason = last.error or f"the message is {last.state}"
    if last.state == "unknown":
        output |= {"repeatable": True} if last.retryable else {}
        return Outcome("unknown", output, reason, last.error_code or "unknown_outcome")
    if last.error_code == "rate_limited" or (last.state == "not_sent"
                                             and last.retry_after is not None):
        return failed(reason, code="rate_limited", retry_after=last.retry_after, **output)
    if last.state == "not_sent":
        return failed(reason, code="not_sent", **output)
    return failed(reason, code=last.error_code or "rejected", **output)
