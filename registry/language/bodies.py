"""Reads steps: what every step has, and the body of each kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni.errors import InvalidInput
from omni.yaml.marks import Path
from registry.expressions import names
from registry.expressions.expression import Expression
from registry.expressions.templates import compile_template
from registry.expressions.values import to_time
from registry.language import definition, grammar
from registry.language.expression_reading import ExpressionReader
from registry.language.grammar import Key
from registry.language.reading import nearest_key

_TEXT = Key("text", "")
_DURATION = Key("duration", "")
_ON_ERROR = Key("choice", "", choices=("fail", "continue"))
EMPTY = compile_template({})
_BODIES: Mapping[str, Callable[..., Any]] = {
    "for_each": definition.ForEachBody, "wait": definition.WaitBody,
    "approval": definition.ApprovalBody, "decide": definition.DecideBody,
    "call": definition.CallBody, "stop": definition.StopBody}


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step and its path in the data, in document order."""

    path: Path
    step: definition.Step


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

    def _steps_of(self, path: Path, items: list[Any]) -> list[definition.Step]:
        workflow_roots = self.roots
        if not self.owner:
            self.roots = names.STEP_ROOTS | ({"error"} if path[-1] == "on_error" else set())
        read = [self._step((*path, index), item) for index, item in enumerate(items)]
        self.roots = workflow_roots
        return [step for step in read if step is not None]

    def _step(self, path: Path, data: Any) -> definition.Step | None:
        outer, self.owner = self.owner, path
        try:
            return self._step_within(path, data)
        finally:
            self.owner = outer

    def _step_within(self, path: Path, data: Any) -> definition.Step | None:
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
        if "timeout" in data and kind in grammar.NO_TIMEOUT:
            self.note_key((*path, "timeout"), "no_meaning", f"timeout means nothing beside {kind}; "
                          f"{grammar.NO_TIMEOUT[kind]}", severity="warning")
        if values is None or body is None:
            return None
        values.setdefault("id", None)
        step = definition.Step(path=path_text(path), kind=kind, body=body, **values)
        self.steps.insert(place, PlacedStep(path, step))
        return step

    def _no_kind(self, path: Path, data: Mapping[str, Any], kinds: list[str]) -> None:
        if kinds:
            written = " and ".join(f"'{kind}'" for kind in kinds)
            self.note(path, "step_kind", f"a step has exactly one kind; this one has {written}; "
                      "write one step for each")
        elif not any(key in grammar.STEP_KINDS for key in self.meant(path)):
            self.note(path, "step_kind", f"a step needs one of {', '.join(grammar.STEP_KINDS)}")

    def meant(self, path: Path) -> set[str]:
        """The keys that the unknown keys of a step were probably meant to be."""
        known = (*grammar.STEP, *grammar.BODY_KEYS)
        return {nearest_key(key, known)[0] for key in self.document_at(path) if key not in known}

    def _remember(self, path: Path, id: str) -> None:
        if id in self.ids:
            line, _ = self.document.mark((*self.ids[id], "id"))
            self.note((*path, "id"), "duplicate_step",
                      f"duplicate step id '{id}' (first at line {line})")
        self.ids.setdefault(id, path)

    def read_on_error(self, path: Path, value: Any, key: Key, title: str) -> Any:
        if isinstance(value, str):
            return self.read_choice(path, value, _ON_ERROR, title)
        if not isinstance(value, list):
            self.note(path, "type", f"{title} must be fail, continue or a list of steps")
            return None
        with self.names_also("error"):
            return self.read_steps(path, value, key, title)

    def _uses(self, path: Path, data: Mapping[str, Any]) -> definition.UsesBody | None:
        word = self.value((*path, "uses"), data["uses"], _TEXT, title="uses")
        params = data.get("with", {})
        if not isinstance(params, Mapping):
            self.note((*path, "with"), "not_a_mapping", "with must be a mapping of parameters, "
                      "like {text: Hello}")
            return None
        with self.names_also("secrets"):
            template = self.template((*path, "with"), params)
        if word is None:
            return None
        action_id, _, major = word.partition("@")
        if "@" in word and not (major.isascii() and major.isdigit()):
            self.note((*path, "uses"), "version", f"'{word}': write a whole number after '@'")
            return None
        return definition.UsesBody(action_id, int(major) if major else None, template)

    def _set(self, path: Path, data: Mapping[str, Any]) -> definition.SetBody | None:
        values = data["set"]
        if not isinstance(values, Mapping) or not values:
            self.note((*path, "set"), "not_a_mapping", "set must be a mapping of names to values, "
                      "like {count: 1}")
            return None
        self.note_names((*path, "set"), dict.fromkeys(values))
        return definition.SetBody({name: self.template((*path, "set", name), value)
                              for name, value in values.items()})

    def _branch(self, path: Path, data: Mapping[str, Any]) -> definition.BranchBody | None:
        place = (*path, "branch")
        items = self.items(place, data["branch"], "branch")
        arms: list[definition.Arm] = []
        for index, item in enumerate(items or ()):
            arms.extend(self._arm((*place, index), item, last=index == len(items or ()) - 1))
        if items == [] or items and all(_is_only_else(item) for item in items):
            self.note(place, "arm", "branch needs at least one arm with if and do")
        return None if items is None else definition.BranchBody(tuple(arms))

    def _arm(self, path: Path, data: Any, *, last: bool) -> list[definition.Arm]:
        values = self.shape(path, data, grammar.ARM, label="branch")
        if values is None:
            return []
        given = {nearest_key(name, grammar.ARM)[0] or name for name in data}
        if ("if" in given) != ("do" in given) or not given & {"if", "else"}:
            self.note(path, "arm", "an arm of branch has if and do, or else")
        if "else" in data and not last:
            self.note_key((*path, "else"), "arm", "else must be the last arm of branch")
        arms = []
        if "if" in values and "do" in values:
            arms.append(definition.Arm(values["if"], values["do"]))
        if "else" in values:
            arms.append(definition.Arm(None, values["else"]))
        return arms

    def _for_each(self, path: Path, data: Mapping[str, Any]) -> definition.ForEachBody | None:
        with self.names_also("item", "loop"):
            return self._shaped((*path, "for_each"), data["for_each"])

    def _parallel(self, path: Path, data: Mapping[str, Any]) -> definition.ParallelBody | None:
        arms = self.read_options((*path, "parallel"), data["parallel"], _TEXT, "parallel")
        return None if arms is None else definition.ParallelBody(arms)

    def read_options(self, path: Path, value: Any, key: Key, title: str) -> Any:
        """Names, each with its steps."""
        if not isinstance(value, Mapping):
            self.note(path, "not_a_mapping", f"{title} must be a mapping of names to steps, "
                      "like {first: [{stop: done}]}")
            return None
        if not value:
            self.note(path, "empty", f"{title} needs at least one name with its steps")
            return None
        return {name: self.read_steps((*path, name), steps, key, f"{title}.{name}") or ()
                for name, steps in value.items()}

    def _wait(self, path: Path, data: Mapping[str, Any]) -> definition.WaitBody | None:
        place, value = (*path, "wait"), data["wait"]
        if not isinstance(value, Mapping):
            length = self.value(place, value, _DURATION, title="wait")
            return None if length is None else definition.WaitBody(length)
        given = {nearest_key(name, grammar.WAIT)[0] or name for name in value}
        if len(given & {"for", "until", "event"}) != 1:
            self.note(place, "wait", "wait has exactly one of for, until, event")
        elif "event" not in given:
            for name in ("match", "where", "timeout", "since"):
                if name in value:
                    self.note_key((*place, name), "wait", f"'{name}' belongs to a wait for an "
                                  "event; remove it or name the event")
        body = self._shaped(place, value)
        if body is not None and body.until is not None:
            self._check_until((*place, "until"), body.until)
        return body

    def _check_until(self, path: Path, until: Expression) -> None:
        """Note a moment that is always the same and no time."""
        try:
            if until.constant and to_time(until.evaluate({})) is not None:
                return
        except InvalidInput:
            pass
        if until.constant:
            self.note(path, "type", "wait.until must be a time, like add_hours(now, 1) or "
                                    "time('2026-11-22T09:00')")

    def _approval(self, path: Path, data: Mapping[str, Any]) -> definition.ApprovalBody | None:
        return self._shaped((*path, "approval"), data["approval"])

    def _decide(self, path: Path, data: Mapping[str, Any]) -> definition.DecideBody | None:
        place = (*path, "decide")
        body = self._shaped(place, data["decide"])
        if body and body.default is not None and body.default not in body.options:
            self.note_choice((*place, "default"), body.default, body.options, "decide.default")
        return body

    def _call(self, path: Path, data: Mapping[str, Any]) -> definition.CallBody | None:
        body = self._shaped((*path, "call"), data["call"], params=EMPTY)
        if body is not None and body.workflow == self.document_at(("id",)):
            self.note((*path, "call", "workflow"), "calls_itself", "this workflow calls itself; "
                      "unless a condition ends that, it fails at the tenth call",
                      severity="warning")
        return body

    def _stop(self, path: Path, data: Mapping[str, Any]) -> definition.StopBody | None:
        place, value = (*path, "stop"), data["stop"]
        if isinstance(value, Mapping):
            return self._shaped(place, value, status="done")
        status = self.value(place, value, grammar.STOP["status"], title="stop")
        return None if status is None else definition.StopBody(status)

    def _shaped(self, path: Path, data: Any, **defaults: Any) -> Any:
        """A body that is nothing but its table."""
        kind = str(path[-1])
        values = self.shape(path, data, grammar.SHAPES[kind], label=kind)
        return None if values is None else _BODIES[kind](**defaults | values)


def _is_only_else(arm: Any) -> bool:
    return isinstance(arm, Mapping) and arm.keys() == {"else"}


def path_text(path: Path) -> str:
    """`steps[2].branch[0].do[1]` for a path of the data."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
