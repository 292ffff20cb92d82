"""The error tree. Raise the narrowest; the message names the thing, the place and the way out.

    OmniError                 code, message, details {path: message}
    ├── InvalidInput          wrong document, payload or setting: never retried
    │   ├── InvalidParams     an action's or instance's settings do not fit their model
    │   ├── InvalidWorkflow   a workflow document; carries every problem with its line
    │   ├── UnknownAction     no action of that id in the library
    │   ├── UnknownProvider   no provider of that name in the library
    │   └── SignatureMismatch the sender could not prove who it is
    ├── NotConfigured         a key, a model or a package is missing; names the setting to fill in
    ├── Held                  our own limiter says not now; the run waits, no attempt is counted
    └── Unavailable           the other side failed: retried with backoff
        ├── NotSent           nothing left this machine (DNS, connect, TLS): safe to try again
        ├── Rejected          an explicit answer that nothing happened; final
        ├── BreakerOpen       not asked, because it failed so often; says when it is tried again
        ├── UnknownOutcome    it may have happened: never repeated by itself
        └── RateLimited       refused for now; carries retry_after, in seconds
"""


class OmniError(Exception):
    """Base of every error this product raises on purpose.

    code: stable machine word, also the `code` of an API problem.
    details: {path: message}, one entry per wrong field.
    """

    code = "error"

    def __init__(self, message: str, *, details: dict[str, str] | None = None,
                 code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or {}
        if code:
            self.code = code


class InvalidInput(OmniError):
    code = "invalid"


class InvalidParams(InvalidInput):
    code = "invalid_params"


class InvalidWorkflow(InvalidInput):
    """A workflow document with problems.

    problems: list of objects with line, column, code, message, suggestion.
    """

    code = "invalid_workflow"

    def __init__(self, problems: list) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UnknownAction(InvalidInput):
    code = "unknown_action"


class UnknownProvider(InvalidInput):
    code = "unknown_provider"


class SignatureMismatch(InvalidInput):
    code = "signature_mismatch"


class NotConfigured(OmniError):
    """Something optional is not set up. setting: the name to fill in."""

    code = "not_configured"

    def __init__(self, message: str, *, setting: str) -> None:
        super().__init__(message, details={setting: message})
        self.setting = setting


class Held(OmniError):
    """Not now, by a limit of our own. retry_after: seconds."""

    code = "held"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(OmniError):
    code = "unavailable"


class NotSent(Unavailable):
    code = "not_sent"


class Rejected(Unavailable):
    """The other side said no. status: its HTTP status, where there was one."""

    code = "rejected"

    def __init__(self, message: str, *, status: int | None = None,
                 details: dict[str, str] | None = None) -> None:
        super().__init__(message, details=details)
        self.status = status


class BreakerOpen(Unavailable):
    """It failed so often in a row that it is not asked for a while. retry_after: seconds."""

    code = "breaker_open"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownOutcome(Unavailable):
    code = "unknown_outcome"


class RateLimited(Unavailable):
    """retry_after: seconds the other side asked us to wait, None when it did not say."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
