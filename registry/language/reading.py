"""Reads the plain data of a document into checked values, by the tables of `grammar`.

Each reader returns the value, or None after it noted what is wrong: all problems are found in one
pass, each with its place.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni.errors import InvalidInput
from omni.yaml.marks import MAX_PROBLEMS, Mark, Path
from omni.yaml.profile import Document, Problem
from registry.expressions import names
from registry.language import grammar
from registry.language.durations import seconds
from registry.language.event_types import PATTERNS, is_known
from registry.language.grammar import Key, Shape

_SLUG = re.compile(grammar.SLUG)


class TooManyProblemsError(Exception):
    """The reading ends: nobody reads more problems than were noted already."""


@dataclass(slots=True)
class ValueReader:
    """One reading: the document and what was found wrong with it so far."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def note(self, path: Path, code: str, message: str, *, suggestion: str = "",
             severity: Any = "error", offset: int | None = None) -> None:
        """Note a problem with the value at `path`, or with a character of its text."""
        mark = self.document.mark(path) if offset is None \
            else self.document.position(path, offset)
        self._add(Problem(*mark, code, message, suggestion, severity))

    def note_at(self, mark: Mark, code: str, message: str, *, severity: Any = "error") -> None:
        """Note a problem with a place that is no value's."""
        self._add(Problem(*mark, code, message, "", severity))

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            raise TooManyProblemsError

    def items(self, path: Path, value: Any, title: str, *, most: float | None = None) -> Any:
        """The items of a list, None after a note when it is none or too long."""
        if not isinstance(value, list):
            self.note(path, "not_a_list", f"{title} must be a list; begin each item with '- '")
        elif most is not None and len(value) > most:
            self.note(path, "too_long", f"{title} has {len(value)} items; at most {most:g}")
        else:
            return value
        return None

    def note_key(self, path: Path, code: str, message: str, *, suggestion: str = "",
                 severity: Any = "error") -> None:
        """Note a problem with the key of an entry."""
        mark = self.document.key_mark(path)
        self._add(Problem(*mark, code, message, suggestion, severity))

    def document_at(self, path: Path) -> Any:
        """The plain value at `path`; {} when there is none."""
        value = self.document.data
        for part in path:
            if isinstance(value, Mapping) and part not in value:
                return {}
            value = value[part]
        return value

    def shape(self, path: Path, data: Any, shape: Shape, *, label: str,
              also: Collection[str] = ()) -> dict[str, Any] | None:
        """The values of a mapping by the names of the dataclass; None when one is missing.

        also: keys the caller reads itself.
        """
        if not isinstance(data, Mapping):
            self.note(path, "not_a_mapping", f"{label} must be a mapping with {', '.join(shape)}")
            return None
        known = (*shape, *also)
        values: dict[str, Any] = {}
        meant: set[str] = set()
        complete = True
        for name, value in data.items():
            if name in shape:
                read = self.value((*path, name), value, shape[name], title=_title(label, name))
                if read is not None:
                    values[shape[name].into or name] = read
                else:
                    complete = complete and not shape[name].required
            elif name not in also:
                meant.add(self.unknown_key((*path, name), name, known, label))
        for name, key in shape.items():
            if key.required and name not in data:
                complete = False
                if name not in meant:
                    self.note(path, "missing_key", f"{label} needs '{name}'")
        return values if complete else None

    def unknown_key(self, path: Path, name: str, known: Collection[str], label: str) -> str:
        """Note a key that is not one of the known; returns the one that was probably meant."""
        near, hint = nearest_key(name, known)
        self.note_key(path, "unknown_key", f"unknown key '{names.shown(name)}' in {label}{hint}",
                      suggestion=near)
        return near

    def value(self, path: Path, value: Any, key: Key, *, title: str) -> Any:
        """A value by its key's kind: each kind has its `read_` method, here or in a class below."""
        if value is None and key.kind != "any":
            self.note(path, "empty", f"{title} is empty; give it a value")
            return None
        return getattr(self, f"read_{key.kind}")(path, value, key, title)

    def read_version(self, path: Path, value: Any, key: Key, title: str) -> int | None:
        if type(value) is int and value == grammar.VERSION:
            return value
        self.note(path, "version", f"omni must be {grammar.VERSION}, the version of the language, "
                                   "without quotes")
        return None

    def read_slug(self, path: Path, value: Any, key: Key, title: str) -> str | None:
        if isinstance(value, str) and _SLUG.fullmatch(value):
            return value
        self.note(path, "slug", f"{title} must be 2 to 64 small letters, digits, - and _, "
                                "beginning with a letter")
        return None

    def read_text(self, path: Path, value: Any, key: Key, title: str) -> str | None:
        if not isinstance(value, str):
            self.note(path, "type", f"{title} must be text{quote_hint(value)}")
        elif key.most is not None and len(value) > key.most:
            self.note(path, "too_long", f"{title} must have at most {key.most:g} characters")
        else:
            return value
        return None

    def read_number(self, path: Path, value: Any, key: Key, title: str) -> float | None:
        whole = key.kind == "integer"
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            self.note(path, "type", f"{title} must be a {'whole ' if whole else ''}number")
        elif key.least is not None and value < key.least:
            self.note(path, "too_small", f"{title} must be at least {key.least:.10g}")
        elif key.most is not None and value > key.most:
            self.note(path, "too_large", f"{title} must be at most {key.most:.10g}")
        else:
            return value
        return None

    read_integer = read_number

    def read_boolean(self, path: Path, value: Any, key: Key, title: str) -> bool | None:
        if isinstance(value, bool):
            return value
        self.note(path, "type", f"{title} must be true or false")
        return None

    def read_duration(self, path: Path, value: Any, key: Key, title: str) -> float | None:
        if isinstance(value, Mapping | list | bool):
            self.note(path, "type", f"{title} must be a duration, like 30s")
            return None
        try:
            return seconds(value)
        except InvalidInput as error:
            self.note(path, "duration", f"{title}: {error.message}")
            return None

    def read_choice(self, path: Path, value: Any, key: Key, title: str) -> str | None:
        if value in key.choices:
            return value
        if isinstance(value, str):
            self.note_choice(path, value, key.choices, title)
        else:
            self.note(path, "choice", f"{title} must be one of {', '.join(key.choices)}")
        return None

    def note_choice(self, path: Path, word: str, choices: Collection[str], title: str) -> None:
        """Note a word that is not one of the choices."""
        near = names.nearest(word, choices)
        hint = f"; did you mean '{near}'?" if near else ""
        self.note(path, "choice", f"{title}: '{names.shown(word)}' is not one of "
                                  f"{names.listed(choices)}{hint}", suggestion=near)

    def read_texts(self, path: Path, value: Any, key: Key, title: str) -> tuple[str, ...] | None:
        """One text or a list of texts."""
        items = value if isinstance(value, list) else [value]
        wrong = next((i for i, item in enumerate(items) if not isinstance(item, str)), None)
        if wrong is None and (items and all(items) or not key.required and key.kind != "kinds"):
            return tuple(items)
        if wrong is None:
            self.note(path, "empty", f"{title} names nothing; give it a text")
            return None
        place = (*path, wrong) if isinstance(value, list) else path
        self.note(place, "type", f"{title} must be text or a list of texts"
                                 f"{quote_hint(items[wrong])}")
        return None

    def read_retries(self, path: Path, value: Any, key: Key, title: str) -> tuple[str, ...] | None:
        words = self.read_texts(path, value, key, title)
        for index, word in enumerate(words or ()):
            if word in grammar.NEVER_RETRIED:
                place = (*path, index) if isinstance(value, list) else path
                self.note(place, "choice", f"{title}: '{word}' is never tried again; remove it")
            elif word not in grammar.RETRY_CLASSES:
                place = (*path, index) if isinstance(value, list) else path
                self.note_choice(place, word, grammar.RETRY_CLASSES, title)
        return words

    def read_any(self, path: Path, value: Any, key: Key, title: str) -> Any:
        return value

    def read_kinds(self, path: Path, value: Any, key: Key, title: str) -> tuple[str, ...] | None:
        """Event kinds; a glob must fit one that exists."""
        globs = self.read_texts(path, value, key, title)
        for index, glob in enumerate(globs or ()):
            if not is_known(glob):
                place = (*path, index) if isinstance(value, list) else path
                near, hint = names.hint(glob, PATTERNS)
                if not near:
                    hint = "; kinds of your own begin with 'custom.'"
                self.note(place, "unknown_event", f"unknown event '{names.shown(glob)}'{hint}",
                          suggestion=near)
        return globs


def nearest_key(name: str, known: Collection[str]) -> tuple[str, str]:
    """The known key that was probably meant, and the end of a message about the wrong one."""
    habit = grammar.HABITS.get(name, "")
    return (habit, f"; did you mean '{habit}'?") if habit in known else names.hint(name, known)


def _title(label: str, name: str) -> str:
    return name if label in ("workflow", "step", "trigger") else f"{label}.{name}"


def quote_hint(value: Any) -> str:
    if value is None or isinstance(value, Mapping | list):
        return ""
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return f'; write "{written}" in quotes'

