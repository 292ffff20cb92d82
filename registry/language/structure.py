"""Reads a whole workflow: its triggers, gates and steps, into a `Definition`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from omni.yaml.marks import Path
from registry.expressions import names
from registry.language import definition, grammar
from registry.language.bodies import EMPTY
from registry.language.case_reading import CaseReader
from registry.language.grammar import Key
from registry.language.inputs import wrong_value
from registry.language.reading import nearest_key
from registry.language.schedules import cron_trouble, zone_trouble

_FORMS: Mapping[str, Callable[..., Any]] = {
    "retry": definition.Retry, "once": definition.Once, "debounce": definition.Debounce,
    "throttle": definition.Throttle, "concurrency": definition.Concurrency}


@dataclass(slots=True)
class WorkflowReader(CaseReader):
    """Reads the parts around the steps."""

    def workflow(self) -> definition.Definition | None:
        """The definition, None when something it cannot be without is missing."""
        data = self.document.data
        if not isinstance(data, Mapping):
            hint = "; a space must follow each ':'" if isinstance(data, str) and ":" in data else ""
            self.note((), "not_a_mapping",
                      f"a workflow is a mapping with omni, id, trigger, steps{hint}")
            return None
        values = self.shape((), data, grammar.WORKFLOW, label="workflow")
        self.check_named()
        if values is None:
            return None
        values.pop("omni")
        values.setdefault("vars", EMPTY)
        return definition.Definition(**values, data=data)

    def read_shape(self, path: Path, value: Any, key: Key, title: str) -> Any:
        values = self.shape(path, value, grammar.SHAPES[key.shape], label=key.shape)
        if values is None:
            return None
        if key.shape == "schedule":
            return self._schedule(path, values)
        return _FORMS.get(key.shape, dict)(**values)

    def _schedule(self, path: Path, values: dict[str, Any]) -> definition.Schedule | None:
        if trouble := cron_trouble(values["cron"]):
            self.note((*path, "cron"), "cron", f"schedule.cron: {trouble}")
        if trouble := zone_trouble(values.get("timezone", "UTC")):
            near = names.nearest(values["timezone"], sorted(available_timezones()))
            hint = f"; did you mean '{near}'?" if near else ""
            self.note((*path, "timezone"), "timezone", f"schedule.timezone: {trouble}{hint}",
                      suggestion=near)
        return definition.Schedule(**values)

    def read_inputs(self, path: Path, value: Any, key: Key, title: str) -> Any:
        if not isinstance(value, Mapping):
            self.note(path, "not_a_mapping", "inputs must be a mapping of names, like "
                                             "{agent: {type: text}}")
            return None
        inputs = {}
        for name, item in value.items():
            values = self.shape((*path, name), item, grammar.INPUT, label="input")
            if values is not None:
                choices = values.pop("choices", [])
                inputs[name] = definition.Input(name=name, **values, choices=tuple(
                    choices if isinstance(choices, list | tuple) else [choices]))
                self._check_input((*path, name), inputs[name], given="choices" in item)
        return inputs

    def _check_input(self, path: Path, declared: definition.Input, *, given: bool) -> None:
        """Note choices or a default that do not fit the type. given: choices were written."""
        if declared.type == "choice" and not declared.choices:
            self.note(path, "missing_key", "an input of type choice needs 'choices', like [a, b]")
        elif declared.type != "choice" and given:
            self.note_key((*path, "choices"), "unknown_key",
                          f"'choices' belongs to type choice, not to {declared.type}")
        elif declared.default is not None and (
                trouble := wrong_value(declared, declared.default)):
            self.note((*path, "default"), "type", f"input.default {trouble}")

    def read_triggers(self, path: Path, value: Any, key: Key, title: str) -> Any:
        items = self.items(path, value, title, most=key.most)
        if items is not None and not items:
            self.note(path, "missing_key", "trigger needs at least one way to wake the workflow")
        triggers = [self._trigger((*path, index), item) for index, item in enumerate(items or ())]
        return tuple(trigger for trigger in triggers if trigger) or None

    def _trigger(self, path: Path, value: Any) -> definition.Trigger | None:
        if not isinstance(value, Mapping):
            self.note(path, "not_a_mapping", "a trigger is a mapping, like {event: message.text}")
            return None
        kinds = [kind for kind in grammar.TRIGGERS if kind in value]
        if len(kinds) != 1:
            near = [name for name in value if name not in grammar.EVENT_TRIGGER
                    and nearest_key(name, grammar.TRIGGERS)[0]]
            for name in () if kinds else near:
                self.unknown_key((*path, name), name, grammar.TRIGGERS, "trigger")
            if kinds or not near:
                self.note(path, "trigger_kind",
                          "a trigger has exactly one of event, schedule, manual")
            return None
        others = set(grammar.EVENT_TRIGGER) - set(grammar.TRIGGERS[kinds[0]])
        for name in others & set(value):
            self.note_key((*path, name), "unknown_key",
                          f"'{name}' belongs to an event trigger, not to {kinds[0]}")
        values = self.shape(path, value, grammar.TRIGGERS[kinds[0]], label="trigger", also=others)
        if values is None:
            return None
        if values.get("manual") is False:
            self.note((*path, "manual"), "choice", "manual can only be true; remove the trigger")
        return definition.Trigger(**values)

    def read_matches(self, path: Path, value: Any, key: Key, title: str) -> Any:
        with self.names_also("run"):
            read = [self.shape((*path, index), item, grammar.MATCH, label=title)
                    for index, item in enumerate(self.items(path, value, title) or ())]
        return tuple(definition.Match(**values) for values in read if values is not None)
