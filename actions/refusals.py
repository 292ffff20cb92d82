"""HTTP answers that are no, as our errors: one table for every peer an action asks."""

from typing import Any

from actions.base import Outcome, failed, unavailable
from connections.http.client import Response
from omni.errors import (
    BreakerOpen,
    Held,
    NotConfigured,
    OmniError,
    RateLimited,
    Rejected,
    Unavailable,
)


def checked(response: Response, *, peer: str) -> Response:
    """The response itself when it is 2xx.

    peer: what the message calls the other side; its words are not repeated, they may hold secrets.
    Raises RateLimited (429, or 503 with a time to come again), Unavailable with code
    provider_5xx, Rejected for the rest.
    """
    if 200 <= response.status < 300:
        return response
    if response.is_rate_limited:
        raise RateLimited(f"{peer} is busy ({response.status})", retry_after=response.retry_after)
    if response.status >= 500:
        raise Unavailable(f"{peer} failed ({response.status})", code="provider_5xx")
    if response.status in (401, 403):
        raise Rejected(f"{peer} refused the key ({response.status}); check its credentials",
                       status=response.status)
    raise Rejected(f"{peer} answered {response.status}; check its address and settings",
                   status=response.status)


def json_of(response: Response, *, peer: str) -> dict[str, Any]:
    """The JSON object of a 2xx answer. Raises like `checked`, and Unavailable for anything else."""
    data = checked(response, peer=peer).json()
    if not isinstance(data, dict):
        raise Unavailable(f"{peer} did not answer with a JSON object", code="bad_answer")
    return data


def code_of(error: OmniError) -> str:
    """The outcome code of an error of a peer; the classes retries go by."""
    if isinstance(error, Rejected):
        return "denied" if error.status in (401, 403) else "rejected"
    return {"unknown_outcome": "timeout"}.get(error.code, error.code)


def outcome_of(error: OmniError) -> Outcome:
    """An error of a peer as a step's outcome: unavailable when something is not set up, or was not
    asked because it failed so often. Raises Held again: it is no outcome.
    """
    if isinstance(error, Held):
        raise error
    if isinstance(error, NotConfigured):
        return unavailable(error.message, code=error.code)
    if isinstance(error, BreakerOpen):
        return unavailable(error.message, code=error.code, retry_after=error.retry_after)
    wait = error.retry_after if isinstance(error, RateLimited) else None
    return failed(error.message, code=code_of(error), retry_after=wait)
