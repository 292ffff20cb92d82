"""What a walk comes to, what it leaves behind, and what it needs of the world. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from actions.base import Outcome
from registry.engine.waits.waiting import SoFar, Wait
from registry.language.definition import Step

if TYPE_CHECKING:
    from registry.engine.run.execution import Execution

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

    def seconds_for(self, step: Step) -> float:
        """How long one attempt of a step may take."""

    def flush(self, execution: "Execution", step: Step) -> None:
        """Commit the pending records; raises one of `fatal` when the run is not ours any more."""

    def act(self, step: Step, execution: "Execution") -> Outcome:
        """Call the action of a `uses` step."""

    def decide(self, step: Step, execution: "Execution", question: str) -> Outcome:
        """Ask who decides; output {choice, confidence, reason, …}."""

    def trouble_calling(self, workflow: str) -> str:
        """Why another workflow cannot be called from here, "" when it can."""

    def call(self, step: Step, execution: "Execution", inputs: Mapping[str, Any]) -> Outcome:
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
