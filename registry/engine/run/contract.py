"""What a walk comes to, what it leaves behind, and what it needs of the world. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from actions.base import Outcome
from registry.engine.waits.waiting import SoFar, Wait
from registry.expressions.lazy import Lazy
from registry.language.definition import Definition, Step

Place = tuple[str, str]  # path and iteration of a step


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over here. state: done, ignored or failed."""

    state: str
    reason: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Suspended:
    """The run is walked again at `until` (None: when something wakes it).

    keeps_place: it stays in line for its slot, as a step that is to be tried again does.
    reason: what holds it up, when that is not a step of its own.
    """

    until: datetime | None
    keeps_place: bool = False
    reason: str = ""


Verdict = Ended | Suspended | None  # None: go on with the next step


@dataclass(slots=True)
class Record:
    """What one attempt of one step came to. final: a later walk reads it instead of doing it."""

    path: str
    iteration: str
    attempt: int
    step_id: str
    step_kind: str
    action: str
    status: str
    code: str
    reason: str
    final: bool
    input: Any
    output: dict[str, Any]
    started_at: datetime
    ended_at: datetime
    duration_ms: float


@dataclass(slots=True)
class Walk:
    """Where a walk stands, and what it leaves behind. step_deadline: monotonic seconds; past it the
    lease is renewed no more.

    kinds: step kind -> its module (`steps.modules`).
    careful: this run lost a worker before, so every step is noted before it begins.
    frozen: only what is recorded is read; steps that have no outcome are not begun any more.
    pending: records not committed yet. opened: waits that go into the store with a suspension.
    left: places whose waits are closed, because nobody comes back to them.
    progress: see Run.progress.
    """

    definition: Definition
    scope: Lazy
    hands: "Hands"
    kinds: Mapping[str, Any]
    recorded: dict[tuple[str, str, int], Record]
    waits: dict[Place, Wait]
    progress: dict[str, Any] = field(default_factory=dict)
    iteration: str = ""
    attempt: int = 1
    shown_input: Any = None
    step_deadline: float = 0.0
    careful: bool = False
    in_lane: bool = False
    frozen: bool = False
    failed_path: str = ""
    failed_id: str = ""
    pending: list[Record] = field(default_factory=list)
    opened: list[Wait] = field(default_factory=list)
    left: list[Place] = field(default_factory=list)


class Hands(Protocol):
    """What a walk needs of the world.

    fatal: errors that say nothing about a step (the run was taken over, the database is away).
    """

    fatal: tuple[type[BaseException], ...]

    def clock(self) -> datetime:
        """The database's clock."""

    def so_far(self) -> SoFar:
        """The events that are stored by now."""

    def reached(self, name: str) -> None:
        """A named place where tests may kill the process."""

    def has_effect(self, step: Step) -> bool:
        """Whether what came before must be on disk before this step begins."""

    def begins_itself(self, step: Step) -> bool:
        """Whether a step with an effect stores what came before by itself, when it begins it."""

    def seconds_for(self, step: Step) -> float:
        """How long one attempt of a step may take."""

    def flush(self, walk: Walk, step: Step) -> None:
        """Commit the pending records; raises one of `fatal` when the run is not ours any more."""

    def act(self, step: Step, walk: Walk) -> Outcome:
        """Call the action of a `uses` step."""

    def decide(self, step: Step, walk: Walk, question: str) -> Outcome:
        """Ask who decides; output {choice, confidence, reason, …}."""

    def trouble_calling(self, workflow: str) -> str:
        """Why another workflow cannot be called from here, "" when it can."""

    def call(self, step: Step, walk: Walk, inputs: Mapping[str, Any]) -> Outcome:
        """Start another workflow and do not wait for it; output {run}."""

    def expire(self, wait: Wait) -> Wait:
        """Close an approval whose deadline has passed; the wait as it stands then."""

    def side_by_side(self, tasks: Sequence[Callable[[], Any]]) -> list[Any]:
        """Results of tasks that may run at the same time, in their order."""


def earliest(suspensions: Sequence[Suspended]) -> Suspended | None:
    """One suspension for several: the first moment, and the place only when all keep it."""
    if not suspensions:
        return None
    moments = [item.until for item in suspensions if item.until is not None]
    return Suspended(min(moments) if moments else None,
                     all(item.keeps_place for item in suspensions),
                     next((item.reason for item in suspensions if item.reason), ""))


def outcome_of(record: Record) -> Outcome:
    return Outcome(record.status, record.output or {}, record.reason, record.code)
