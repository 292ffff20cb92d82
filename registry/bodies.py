"""Reads steps: what every step has, and the body of each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni.yamlmarks import Path
from registry import definition as forms
from registry import grammar, names
from registry.expression_reading import ExpressionReader
from registry.grammar import Key
from registry.templates import compile_template

_TEXT = Key("text", "")
_DURATION = Key("duration", "")
_ON_ERROR = Key("choice", "", choices=("fail", "continue"))
EMPTY = compile_template({})
_BODIES: Mapping[str, Callable[..., Any]] = {
    "for_each": forms.ForEachBody, "wait": forms.WaitBody, "approval": forms.ApprovalBody,
    "decide": forms.DecideBody, "call": forms.CallBody, "stop": forms.StopBody}


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step and its path in the data, in document order."""

    path: Path
    step: forms.Step


@dataclass(slots=True)
class StepReader(ExpressionReader):
    """Reads a list of steps.

    steps: every step that could be read, in document order. ids: id -> path of its first step.
    order: path of a step -> its number in document order.
    """

    steps: list[PlacedStep] = field(default_factory=list)
    ids: dict[str, Path] = field(default_factory=dict)
    order: dict[Path, int] = field(default_factory=dict)

    def read_steps(self, path: Path, value: Any, key: Key, title: str) -> Any:
        items = self.items(path, value, title, most=grammar.MAX_STEPS)
        if items is None:
            return None
        return tuple(self._steps_of(path, items))

    def _steps_of(self, path: Path, items: list[Any]) -> list[forms.Step]:
        workflow_roots = self.roots
        if not self.owner:
            self.roots = names.STEP_ROOTS | ({"error"} if path[-1] == "on_error" else set())
        read = [self._step((*path, index), item) for index, item in enumerate(items)]
        self.roots = workflow_roots
        return [step for step in read if step is not None]

    def _step(self, path: Path, data: Any) -> forms.Step | None:
        outer, self.owner = self.owner, path
        try:
            return self._step_within(path, data)
        finally:
            self.owner = outer

    def _step_within(self, path: Path, data: Any) -> forms.Step | None:
        if not isinstance(data, Mapping):
            self.note(path, "not_a_mapping", "a step is a mapping, like {uses: route.reply}")
            return None
        kinds = [kind for kind in grammar.STEP_KINDS if kind in data]
        kind = kinds[0] if len(kinds) == 1 else ""
        place = len(self.steps)
        self.order[path] = len(self.order)
        if isinstance(data.get("id"), str):
            self._remember(path, data["id"])
        body = getattr(self, f"_{kind}")(path, data) if kind else None
        values = self.shape(path, data, grammar.STEP, label="step", also=grammar.BODY_KEYS)
        if not kind:
            self._no_kind(path, data, kinds)
        elif "with" in data and kind != "uses":
            self.note_key((*path, "with"), "unknown_key", f"'with' belongs to uses, not to {kind}")
        if values is None or body is None:
            return None
        values.setdefault("id", None)
        step = forms.Step(path=path_text(path), kind=kind, body=body, **values)
        self.steps.insert(place, PlacedStep(path, step))
        return step

    def _no_kind(self, path: Path, data: Mapping[str, Any], kinds: list[str]) -> None:
        if kinds:
            written = " and ".join(f"'{kind}'" for kind in kinds)
            self.note(path, "step_kind", f"a step has exactly one kind; this one has {written}")
        elif not any(self._nearest_key(key) in grammar.STEP_KINDS for key in data
                     if key not in grammar.STEP and key != "with"):
            self.note(path, "step_kind", f"a step needs one of {', '.join(grammar.STEP_KINDS)}")

    def _nearest_key(self, key: str) -> str:
        return grammar.HABITS.get(key) or names.nearest(key, (*grammar.STEP, *grammar.BODY_KEYS))

    def _remember(self, path: Path, id: str) -> None:
        if id in self.ids:
            line, _ = self.document.mark((*self.ids[id], "id"))
            self.note((*path, "id"), "duplicate_step",
                      f"duplicate step id '{id}' (first at line {line})")
        self.ids.setdefault(id, path)

    def read_on_error(self, path: Path, value: Any, key: Key, title: str) -> Any:
        if not isinstance(value, list):
            return self.read_choice(path, value, _ON_ERROR, title)
        with self.names_also("error"):
            return self.read_steps(path, value, key, title)

    def _uses(self, path: Path, data: Mapping[str, Any]) -> forms.UsesBody | None:
        word = self.read_text((*path, "uses"), data["uses"], _TEXT, "uses")
        params = data.get("with", {})
        if not isinstance(params, Mapping):
            self.note((*path, "with"), "not_a_mapping", "with must be a mapping of parameters")
            return None
        with self.names_also("secrets"):
            template = self.template((*path, "with"), params)
        if word is None:
            return None
        action_id, _, major = word.partition("@")
        if "@" in word and not (major.isascii() and major.isdigit()):
            self.note((*path, "uses"), "version", f"'{word}': write a whole number after '@'")
            return None
        return forms.UsesBody(action_id, int(major) if major else None, template)

    def _set(self, path: Path, data: Mapping[str, Any]) -> forms.SetBody | None:
        values = data["set"]
        if not isinstance(values, Mapping):
            self.note((*path, "set"), "not_a_mapping", "set must be a mapping of names to values")
            return None
        return forms.SetBody({name: self.template((*path, "set", name), value)
                              for name, value in values.items()})

    def _branch(self, path: Path, data: Mapping[str, Any]) -> forms.BranchBody | None:
        place = (*path, "branch")
        items = self.items(place, data["branch"], "branch")
        arms: list[forms.Arm] = []
        for index, item in enumerate(items or ()):
            arms.extend(self._arm((*place, index), item, last=index == len(items or ()) - 1))
        return None if items is None else forms.BranchBody(tuple(arms))

    def _arm(self, path: Path, data: Any, *, last: bool) -> list[forms.Arm]:
        values = self.shape(path, data, grammar.ARM, label="branch")
        if values is None:
            return []
        if ("if" in data) != ("do" in data) or not data.keys() & {"if", "else"}:
            self.note(path, "arm", "an arm of branch has if and do, or else")
        if "else" in data and not last:
            self.note_key((*path, "else"), "arm", "else must be the last arm of branch")
        arms = []
        if "if" in values and "do" in values:
            arms.append(forms.Arm(values["if"], values["do"]))
        if "else" in values:
            arms.append(forms.Arm(None, values["else"]))
        return arms

    def _for_each(self, path: Path, data: Mapping[str, Any]) -> forms.ForEachBody | None:
        with self.names_also("item", "loop"):
            return self._shaped((*path, "for_each"), data["for_each"])

    def _parallel(self, path: Path, data: Mapping[str, Any]) -> forms.ParallelBody | None:
        arms = self.read_options((*path, "parallel"), data["parallel"], _TEXT, "parallel")
        return None if arms is None else forms.ParallelBody(arms)

    def read_options(self, path: Path, value: Any, key: Key, title: str) -> Any:
        """Names, each with its steps."""
        if not isinstance(value, Mapping) or not value:
            self.note(path, "not_a_mapping", f"{title} must be a mapping of names to steps")
            return None
        return {name: self.read_steps((*path, name), steps, key, f"{title}.{name}") or ()
                for name, steps in value.items()}

    def _wait(self, path: Path, data: Mapping[str, Any]) -> forms.WaitBody | None:
        place, value = (*path, "wait"), data["wait"]
        if not isinstance(value, Mapping):
            length = self.read_duration(place, value, _DURATION, "wait")
            return None if length is None else forms.WaitBody(length)
        if len(value.keys() & {"for", "until", "event"}) != 1:
            self.note(place, "wait", "wait has exactly one of for, until, event")
        return self._shaped(place, value)

    def _approval(self, path: Path, data: Mapping[str, Any]) -> forms.ApprovalBody | None:
        return self._shaped((*path, "approval"), data["approval"])

    def _decide(self, path: Path, data: Mapping[str, Any]) -> forms.DecideBody | None:
        place = (*path, "decide")
        body = self._shaped(place, data["decide"])
        if body and body.default is not None and body.default not in body.options:
            near = names.nearest(body.default, body.options)
            hint = f"; did you mean '{near}'?" if near else ""
            self.note((*place, "default"), "choice", f"decide.default: '{body.default}' is not one "
                      f"of {', '.join(body.options)}{hint}", suggestion=near)
        return body

    def _call(self, path: Path, data: Mapping[str, Any]) -> forms.CallBody | None:
        return self._shaped((*path, "call"), data["call"], params=EMPTY)

    def _stop(self, path: Path, data: Mapping[str, Any]) -> forms.StopBody | None:
        place, value = (*path, "stop"), data["stop"]
        if isinstance(value, Mapping):
            return self._shaped(place, value, status="done")
        status = self.read_choice(place, value, grammar.STOP["status"], "stop")
        return None if status is None else forms.StopBody(status)

    def _shaped(self, path: Path, data: Any, **defaults: Any) -> Any:
        """A body that is nothing but its table."""
        kind = str(path[-1])
        values = self.shape(path, data, grammar.SHAPES[kind], label=kind)
        return None if values is None else _BODIES[kind](**defaults | values)


def path_text(path: Path) -> str:
    """`steps[2].branch[0].do[1]` for a path of the data."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
