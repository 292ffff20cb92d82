"""The checked form of a workflow: what matching, gates and the runner work with.

Conditions and values are compiled, durations are seconds. One body class per kind of step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from registry.expressions.expression import Expression
from registry.expressions.templates import Template
from registry.language.event_types import fits_type

STEP_SECONDS = 60.0  # most a step without a timeout of its own may take


@dataclass(frozen=True, slots=True)
class Retry:
    """max: tries after the first. delay, cap: seconds. errors: retried classes, () the default."""

    max: int
    delay: float = 2.0
    backoff: Literal["fixed", "exponential"] = "exponential"
    cap: float = 300.0
    jitter: bool = True
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """A value the binding gives. about: its description."""

    name: str
    type: str
    default: Any = None
    required: bool = False
    about: str = ""
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """catch_up: which of the times that were missed are made up for (docs/workflows.md)."""

    cron: str
    timezone: str = "UTC"
    catch_up: Literal["none", "last", "all"] = "last"


@dataclass(frozen=True, slots=True)
class Match:
    """Events to look for: kinds (globs), equality pairs, then a filter."""

    event: tuple[str, ...]
    match: Mapping[str, Template] = field(default_factory=dict)
    where: Expression | None = None

    def matches_type(self, event_type: str) -> bool:
        return fits_type(self.event, event_type)


@dataclass(frozen=True, slots=True)
class Trigger:
    """One way to wake the workflow: by event, by schedule or by hand.

    provider, instance: empty means any.
    """

    event: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    instance: tuple[str, ...] = ()
    where: Expression | None = None
    schedule: Schedule | None = None
    manual: bool = False

    def matches_type(self, event_type: str) -> bool:
        return fits_type(self.event, event_type)


@dataclass(frozen=True, slots=True)
class Once:
    """per: seconds; None means ever."""

    key: Expression
    per: float | None = None


@dataclass(frozen=True, slots=True)
class Debounce:
    """quiet, max: seconds. key: None means the conversation. collect: events kept of a burst."""

    quiet: float
    key: Expression | None = None
    max: float | None = None
    collect: int = 20


@dataclass(frozen=True, slots=True)
class Throttle:
    """key: None means all of an account. per: seconds."""

    limit: int
    per: float
    key: Expression | None = None
    mode: Literal["delay", "drop"] = "delay"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """key: None means all of an account. max_queue: None means no bound."""

    limit: int
    key: Expression | None = None
    mode: Literal["queue", "skip", "restart", "parallel"] = "queue"
    max_queue: int | None = None


@dataclass(frozen=True, slots=True)
class UsesBody:
    """version: the major that was asked for, None the current one."""

    action_id: str
    version: int | None
    params: Template


@dataclass(frozen=True, slots=True)
class SetBody:
    values: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Arm:
    """condition: None is the else arm."""

    condition: Expression | None
    steps: "tuple[Step, ...]"


@dataclass(frozen=True, slots=True)
class BranchBody:
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class ForEachBody:
    """items: the list. limit: most turns. parallel: turns at a time. going: goes on while true."""

    items: Expression
    steps: "tuple[Step, ...]"
    limit: int = 100
    parallel: int = 1
    going: Expression | None = None


@dataclass(frozen=True, slots=True)
class ParallelBody:
    arms: "Mapping[str, tuple[Step, ...]]"


@dataclass(frozen=True, slots=True)
class WaitBody:
    """For a time (`seconds`), until a moment, or for an event; timeout: seconds."""

    seconds: float | None = None
    until: Expression | None = None
    event: tuple[str, ...] = ()
    match: Mapping[str, Template] = field(default_factory=dict)
    where: Expression | None = None
    timeout: float | None = None
    since: Literal["step", "trigger"] = "step"

    def matches_type(self, event_type: str) -> bool:
        return fits_type(self.event, event_type)


@dataclass(frozen=True, slots=True)
class ApprovalBody:
    """of: who may answer. via: where they are asked. timeout: seconds."""

    ask: Template
    of: tuple[str, ...]
    show: Template | None = None
    via: tuple[str, ...] = ("admin",)
    timeout: float | None = None
    on_timeout: Literal["reject", "approve", "fail"] = "reject"


@dataclass(frozen=True, slots=True)
class DecideBody:
    """using: who decides. options: name -> steps. default: taken when unsure, dear or failed."""

    using: str
    question: Template
    options: "Mapping[str, tuple[Step, ...]]"
    default: str | None = None
    min_confidence: float | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class CallBody:
    workflow: str
    params: Template
    mode: Literal["wait", "detach"] = "wait"


@dataclass(frozen=True, slots=True)
class StopBody:
    status: Literal["done", "ignored", "failed"]
    reason: Template | None = None


Body = (UsesBody | SetBody | BranchBody | ForEachBody | ParallelBody | WaitBody | ApprovalBody
        | DecideBody | CallBody | StopBody)


@dataclass(frozen=True, slots=True)
class Step:
    """One step. path: its place, like `steps[2].branch[0].do[1]`. timeout: seconds."""

    path: str
    id: str | None
    kind: str
    body: Any  # a Body; `kind` says which
    name: str = ""
    condition: Expression | None = None
    timeout: float | None = None
    retry: Retry | None = None
    on_error: "Literal['fail', 'continue'] | tuple[Step, ...]" = "fail"
    store: Literal["full", "meta", "none"] = "full"


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole workflow. timeout: seconds a run may take. sends: a step sends something outward;
    answers: a step of kind route does.

    data: the plain document it was made of.
    """

    id: str
    steps: tuple[Step, ...]
    triggers: tuple[Trigger, ...]
    vars: Template
    name: str = ""
    description: str = ""
    labels: tuple[str, ...] = ()
    priority: int = 500
    claim: str | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    cancel_on: tuple[Match, ...] = ()
    once: Once | None = None
    debounce: Debounce | None = None
    throttle: Throttle | None = None
    concurrency: Concurrency | None = None
    timeout: float = 30 * 86_400.0
    retry: Retry | None = None
    on_error: tuple[Step, ...] = ()
    tests: tuple[Mapping[str, Any], ...] = ()
    sends: bool = False
    answers: bool = False
    data: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
