"""The safe YAML profile of workflow documents: plain data in, with the line and column of every
part, so that each later check can say where.

Always PyYAML's pure loader: the C loader accepts text the pure one refuses, and deep nesting
crashes it. No anchors, aliases, tags, merge keys, duplicate keys or second documents. Only
`true false null`, decimal integers up to 15 digits and decimals are not text, so that phone
numbers, opening hours, dates, `on` and `NO` stay what was written.
"""

import re
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml.errors import syntax_problem
from omni.yaml.marks import MAX_PROBLEMS, Document, Mark, Path, Problem, in_order
from omni.yaml.scan import Loader

__all__ = ["Document", "Problem", "dump", "load"]

MAX_BYTES = 200 * 1024
MAX_DEPTH = 24
MAX_PARTS = 20_000  # keys and values: some 1,500 steps

_WORDS = {"": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})\.[0-9]{1,20}", re.ASCII)
_CUT = re.compile(r"[ \t]+#(?=[\w$@{])")  # `order #12`; a space after # makes a comment
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def load(text: str) -> Document:
    """Read one document. Raises InvalidWorkflow with every Problem that could be found."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidWorkflow([Problem(1, 1, "too_large", "the document is larger than 200 KB")])
    composer = _Composer(text)
    try:
        data = composer.compose()
    except yaml.YAMLError as error:
        composer.add_syntax_error(error)
    except _UnreadableError:
        pass
    except (ValueError, OverflowError):
        composer.problems.append(Problem(
            1, 1, "escape", "there is no such character: \\U goes to 0010FFFF"))
    if composer.problems:
        raise InvalidWorkflow(in_order(composer.problems))
    composer.document.data = data
    return composer.document


class _UnreadableError(Exception):
    """The rest of the document cannot be read sensibly; the problem is noted already."""


class _Composer:
    """Builds data from parser events; not more than MAX_DEPTH deep, so it cannot overflow."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.document = Document(None, text)
        self.problems: list[Problem] = []
        self.parts = 0
        self.comments: list[Any] = []

    def compose(self) -> Any:
        self.loader = Loader(self.source)
        self.comments = self.loader.comments
        self.loader.get_event()  # start of the stream
        if isinstance(self.loader.peek_event(), StreamEndEvent):
            self.document.marks[()] = (1, 1)
            return None
        self.loader.get_event()  # start of the document
        data = self._value((), self._next(), 0)
        self.loader.get_event()  # end of the document
        second = self.loader.get_event()
        if isinstance(second, DocumentStartEvent):
            self._add(second, "two_documents", "one document only; a second one starts here")
        return data

    def _next(self) -> Event:
        """The next event; what a document may hold is bounded, because the pure loader is slow."""
        event = self.loader.get_event()
        self.parts += 1
        if self.parts > MAX_PARTS:
            self._add(event, "too_large", f"the document has more than {MAX_PARTS} parts; "
                                          "split the workflow with call")
            raise _UnreadableError
        return event

    def _value(self, path: Path, event: Event, depth: int) -> Any:
        self._refuse_references(event)
        mark = _start(event)
        self.document.marks[path] = (mark.line + 1, mark.column + 1)
        if isinstance(event, ScalarEvent):
            return self._scalar(path, event)
        if not isinstance(event, CollectionStartEvent):
            return None
        if depth == MAX_DEPTH:
            self._add(event, "too_deep", f"nested deeper than {MAX_DEPTH} levels; move inner steps "
                                         "to a workflow of their own and call it")
            raise _UnreadableError
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        return self._sequence(path, depth)

    def _scalar(self, path: Path, event: ScalarEvent) -> Any:
        text: str = event.value
        self.document.scalars[path] = (_start(event).index, event.style or "")
        if _UNSTORABLE.search(text):
            self._add(event, "bad_character", "the text holds a character that cannot be stored; "
                                              "remove it")
        if event.style:
            return text
        value = _plain(text)
        if isinstance(value, str | None):
            self._note_cut(self.document.cuts, path, event)
        return value

    def _note_cut(self, cuts: dict[Path, Mark], path: Path, event: ScalarEvent) -> None:
        mark: Any = event.end_mark
        cut = _CUT.match(self.source, mark.index)
        if cut:
            cuts[path] = (mark.line + 1, mark.column + len(cut[0]))

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._value((*path, len(items)), event, depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(path, event, items)
            value = self._value((*path, key), self._next(), depth + 1)
            items[key] = value
        return items

    def _key(self, path: Path, event: Event, taken: dict[str, Any]) -> str:
        self._refuse_references(event)
        if not isinstance(event, ScalarEvent):
            if isinstance(event, MappingStartEvent) and event.flow_style:
                self._add(event, "braces", "unquoted {{ … }} is a YAML mapping; write ${{ … }}")
            else:
                self._add(event, "key_not_text", "a key must be text")
            self._skip(event)
            return ""
        key = event.value
        mark = (_start(event).line + 1, _start(event).column + 1)
        if not event.style and key == "<<":
            self._add(event, "merge_key", "merge keys (<<) are not allowed; write the keys out")
        elif not event.style and not isinstance(_plain(key), str):
            self._add(event, "key_not_text", f'a key must be text; write "{key}" in quotes')
        elif key in taken:
            first = self.document.key_marks[(*path, key)][0]
            self._add(event, "duplicate_key", f"duplicate key '{key}' (first at line {first})")
        if _UNSTORABLE.search(key):
            self._add(event, "bad_character", "the key holds a character that cannot be stored; "
                                                "remove it")
        self.document.key_marks.setdefault((*path, key), mark)
        if not event.style:
            self._note_cut(self.document.key_cuts, (*path, key), event)
        return key

    def _skip(self, event: Event) -> None:
        """Pass over the rest of a collection whose start was read."""
        depth = 1 if isinstance(event, CollectionStartEvent) else 0
        while depth:
            event = self._next()
            if isinstance(event, CollectionStartEvent):
                depth += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1

    def _refuse_references(self, event: Event) -> None:
        anchor = getattr(event, "anchor", None)
        if isinstance(event, AliasEvent):
            self._add(event, "alias", f"alias '*{anchor}' is not allowed; write the value out")
        elif anchor is not None:
            self._add(event, "anchor", f"anchor '&{anchor}' is not allowed; remove it")
        if getattr(event, "tag", None) is not None:
            word = re.compile(r"\S*").match(self.source, self._tag_index(event))
            tag = word.group() if word else "!"
            hint = "remove it" if tag.startswith("!!") else "write `not x` instead of `!x`"
            self._add(event, "tag", f"YAML tag '{tag[:80]}' is not allowed; {hint}")

    def _tag_index(self, event: Event) -> int:
        start = _start(event).index
        return max(start, self.source.find("!", start))

    def _add(self, event: Event, code: str, message: str) -> None:
        mark = _start(event)
        self.problems.append(Problem(mark.line + 1, mark.column + 1, code, message))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _UnreadableError

    def add_syntax_error(self, error: yaml.YAMLError) -> None:
        """Note a YAML error, unless it only follows from one already noted on its line."""
        problem = syntax_problem(self.source, error, self.comments)
        if all(known.line != problem.line for known in self.problems):
            self.problems.append(problem)


def _start(event: Event) -> Any:
    """Where an event starts; the pure loader always says so."""
    return event.start_mark


def _plain(text: str) -> Any:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


class _Dumper(yaml.SafeDumper):
    """Block style; whatever the profile (or YAML 1.1) would not read back as text is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)


def _represent_number(dumper: _Dumper, number: int | float) -> yaml.Node:
    text = format(number, "d") if isinstance(number, int) else _decimal(number)
    if _plain(text) != number:
        return _represent_text(dumper, text)
    kind = "int" if isinstance(number, int) else "float"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


def _decimal(number: float) -> str:
    text = repr(number)
    return format(number, ".20f").rstrip("0") + "0" if "e" in text else text


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(int, _represent_number)
_Dumper.add_representer(float, _represent_number)
_Dumper.add_representer(tuple, yaml.SafeDumper.represent_list)


def dump(data: Any) -> str:
    """Write plain data so that `load` reads it back; numbers the profile cannot hold become text.

    Raises InvalidInput for values that are not plain data.
    """
    try:
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True,
                         default_flow_style=False, width=10**6)
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput(f"cannot be written as YAML: {error}") from error
