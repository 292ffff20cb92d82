"""What an action is: one function `(event, params, context) -> Outcome` with one declaration.

The declaration (id, parameters model, output model, effects) feeds validation, the admin's help,
the JSON Schema of the language, the marketplace and the tools of agents.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Effects = Literal["none", "read", "write", "send"]
STATUSES = ("done", "stopped", "skipped", "failed", "unavailable", "unknown")


class Params(BaseModel):
    """Base of every action's parameters: frozen, unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Output(BaseModel):
    """Base of every action's output model."""

    model_config = ConfigDict(frozen=True, extra="allow")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step came to.

    status: done; stopped (a guard did not pass: the run ends as ignored); skipped; failed;
    unavailable (a key or model is missing); unknown (a send that may have happened).
    output: JSON data later steps can read. reason: for people; always given unless done.
    """

    status: str
    output: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    code: str = ""


def done(**output: Any) -> Outcome:
    return Outcome("done", output)


def stop(reason: str, **output: Any) -> Outcome:
    """A guard's no: the run ends as ignored, with this reason."""
    return Outcome("stopped", output, reason, "stopped")


def failed(reason: str, *, code: str = "failed", **output: Any) -> Outcome:
    return Outcome("failed", output, reason, code)


def unavailable(reason: str, *, code: str = "not_configured", **output: Any) -> Outcome:
    """Something optional is not set up; `reason` names the setting to fill in."""
    return Outcome("unavailable", output, reason, code)


@dataclass(slots=True)
class Context:
    """What an action may use besides its event and parameters.

    instance: the configured account the event came through (connections.models.Instance).
    effect_key: stable name of this step of this run; `effect(n)` names one outward act of it.
    deadline: monotonic seconds at which the step's time is up.
    deliver: `events.outbox.deliver.send` with this run's facts filled in; a dry run puts a recorder
    here.
    perform: `events.outbox.deliver.perform` likewise, for outward acts that are no message.
    inputs: the binding's inputs. run_id, step_id, workflow: where we are; None outside a run.
    viewer: whose eyes a dry run reads with (connections.access.Principal); None: Omni's own.
    """

    instance: Any
    effect_key: str
    deadline: float
    deliver: Callable[..., Any] | None = None
    perform: Callable[..., Any] | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    step_id: str = ""
    workflow: str = ""
    attempt: int = 1
    dry_run: bool = False
    viewer: Any = None

    def effect(self, part: str | int) -> str:
        return f"{self.effect_key}:{part}"

    def remaining(self) -> float:
        """Seconds left for this step, never below 0.1."""
        return max(self.deadline - time.monotonic(), 0.1)


ActionFunction = Callable[[Any, Any, Context], Outcome]


@dataclass(frozen=True, slots=True)
class Action:
    """A declared action.

    effects: none (pure), read (asks our store), write (changes our store or an agent's), send
    (an outward act through the outbox). timeout: seconds, the default of a step that names none.
    secret: names of parameters that may refer to `secrets.X`.
    """

    id: str
    function: ActionFunction
    params: type[Params]
    output: type[Output]
    effects: Effects
    timeout: float
    idempotent: bool
    secret: frozenset[str]
    version: int

    @property
    def kind(self) -> str:
        return self.id.split(".", 1)[0]

    @property
    def summary(self) -> str:
        """First line of the docstring: the marketplace text."""
        return (self.function.__doc__ or "").strip().split("\n", 1)[0]


DECLARED: dict[str, Action] = {}


def action(id: str, *, params: type[Params] = Params, output: type[Output] = Output,
           effects: Effects = "none", timeout: float = 30.0, idempotent: bool | None = None,
           secret: tuple[str, ...] = (), version: int = 1) -> Callable:
    """Declare a function as the action `id`. Two functions with one id stop the start."""

    def declare(function: ActionFunction) -> ActionFunction:
        if id in DECLARED and DECLARED[id].function.__module__ != function.__module__:
            raise ValueError(f"action '{id}' is declared in {DECLARED[id].function.__module__} "
                             f"and in {function.__module__}")
        if not (function.__doc__ or "").strip():
            raise ValueError(f"action '{id}' needs a docstring: its first line is shown to people")
        DECLARED[id] = Action(
            id=id, function=function, params=params, output=output, effects=effects,
            timeout=timeout, version=version, secret=frozenset(secret),
            idempotent=effects in ("none", "read") if idempotent is None else idempotent)
        return function

    return declare
