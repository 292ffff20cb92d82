"""Reads the `tests:` of a workflow: every name in them is one of a fixture, field, step or input.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni.errors import InvalidInput
from omni.yaml.marks import Path
from registry.expressions import names
from registry.expressions.values import describe, to_time
from registry.language import fixtures, grammar
from registry.language.bodies import StepReader, path_text
from registry.language.grammar import Key

MOST_TESTS = 200
_FACT_KINDS: Mapping[str, tuple[type, ...]] = {
    "text": (str,), "time": (str,), "number": (int, float), "boolean": (bool,), "list": (list,),
    "mapping": (Mapping,)}


@dataclass(slots=True)
class CaseReader(StepReader):
    """named: names of steps and inputs in tests, looked up when all steps are known."""

    named: list[tuple[Path, str, str]] = field(default_factory=list)

    def read_tests(self, path: Path, value: Any, key: Key, title: str) -> Any:
        """The tests as they are written."""
        items = self.items(path, value, title, most=MOST_TESTS) or []
        for index, item in enumerate(items):
            self.shape((*path, index), item, grammar.TEST, label="test")
        return tuple(item for item in items if isinstance(item, Mapping))

    def read_example(self, path: Path, value: Any, key: Key, title: str) -> Any:
        if isinstance(value, Mapping):
            facts = {name: fact for name, fact in value.items() if fact is not None}
            self._note_unknown_nulls(path, value)
            return self.shape(path, facts, grammar.EXAMPLE, label="example")
        if type(value) is int and value > 0:
            return value
        if isinstance(value, str):
            return self.read_fixture(path, value, key, title)
        self.note(path, "type", f"{title} must be a stored event's id, a fixture, or a mapping of "
                                "fields over one")
        return None

    def _note_unknown_nulls(self, path: Path, value: Mapping[str, Any]) -> None:
        for name, fact in value.items():
            if fact is None and name not in grammar.EXAMPLE:
                self.unknown_key((*path, name), name, grammar.EXAMPLE, "example")

    def read_fixture(self, path: Path, value: Any, key: Key, title: str) -> str | None:
        if value in fixtures.NAMES:
            return value
        near = names.nearest(str(value), fixtures.NAMES)
        hint = f"; did you mean '{near}'?" if near else "; message.text is one"
        self.note(path, "unknown_fixture", f"unknown fixture '{value}'{hint}", suggestion=near)
        return None

    def read_fact(self, path: Path, value: Any, key: Key, title: str) -> Any:
        """A field of an example: null, or a value of the field's kind."""
        if value is None:
            return None
        kinds = _FACT_KINDS[key.shape]
        if not isinstance(value, kinds) or isinstance(value, bool) and bool not in kinds:
            self.note(path, "type", f"{title} must be {_KIND_WORDS[key.shape]}, "
                                    f"not {describe(value)}")
            return None
        return self.read_moment(path, value, key, title) if key.shape == "time" else value

    def read_moment(self, path: Path, value: Any, key: Key, title: str) -> Any:
        try:
            if isinstance(value, str):
                return to_time(value)
        except InvalidInput:
            pass  # said below
        self.note(path, "time", f"{title}: '{value}' is not a time; write one like "
                                "2026-03-02T12:00:00Z")
        return None

    def read_given(self, path: Path, value: Any, key: Key, title: str) -> Any:
        return self._by_name(path, value, title, "input")

    def read_outputs(self, path: Path, value: Any, key: Key, title: str) -> Any:
        found = self._by_name(path, value, title, "step")
        for name, output in (found or {}).items():
            if not isinstance(output, Mapping):
                self.note((*path, name), "not_a_mapping", f"{title}.{name} must be a mapping")
        return found

    def _by_name(self, path: Path, value: Any, title: str, kind: str) -> Any:
        if not isinstance(value, Mapping):
            self.note(path, "not_a_mapping", f"{title} must be a mapping by {kind}")
            return None
        self.named += [((*path, name), kind, name) for name in value]
        return value

    def read_step_names(self, path: Path, value: Any, key: Key, title: str) -> Any:
        items = self.items(path, value, title) or []
        for index, item in enumerate(items):
            if isinstance(item, str):
                self.named.append(((*path, index), "step", item))
            else:
                self.note((*path, index), "type", f"{title} must be a list of steps, by id or path")
        return tuple(items)

    def read_sends(self, path: Path, value: Any, key: Key, title: str) -> Any:
        items = self.items(path, value, title) or []
        for index, item in enumerate(items):
            if not isinstance(item, Mapping):
                self.note((*path, index), "not_a_mapping",
                          f"{title} must be a list of mappings, like {{text: hello}}")
        return tuple(items)

    def check_named(self) -> None:
        """Note names of steps and inputs that are none; called when everything was read."""
        declared = self.document_at(("inputs",))
        known: dict[str, Collection[str]] = {
            "input": list(declared) if isinstance(declared, Mapping) else [],
            "step": [*self.ids, *map(path_text, self.order)]}
        for path, kind, name in self.named:
            if name not in known[kind]:
                near = names.nearest(name, known[kind])
                hint = f"; did you mean '{near}'?" if near else ""
                note = self.note if isinstance(path[-1], int) else self.note_key
                note(path, f"unknown_{kind}", f"unknown {kind} '{name}'{hint}", suggestion=near)


_KIND_WORDS: Mapping[str, str] = {
    "text": "text", "time": "a time", "number": "a number", "boolean": "true or false",
    "list": "a list", "mapping": "a mapping"}
