"""The way from the text of a workflow to its checked form, and back to canonical JSON."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actions import library
from omni.errors import InvalidWorkflow
from omni.yaml import profile
from omni.yaml.marks import in_order
from omni.yaml.profile import Problem
from registry.language import grammar
from registry.language.check import (
    answers,
    check_cuts,
    check_executable,
    check_habits,
    check_kinds,
    check_references,
)
from registry.language.check_actions import Library, check_actions
from registry.language.check_lengths import check_lengths
from registry.language.definition import Definition
from registry.language.reading import TooManyProblemsError
from registry.language.structure import WorkflowReader

_SLUG = re.compile(grammar.SLUG)


def parse(text: str, *, library: Library = library,
          executable: frozenset[str] | None = None,
          gates: frozenset[str] | None = None, published: bool = False) -> Definition:
    """The definition of a document. Raises InvalidWorkflow with every error, by line.

    executable, gates: the step kinds and gates this version runs; None accepts all.
    published: it was let through before; a part of it that can only fail is no reason to stop the
    rest of it now.
    """
    definition, problems = _read(text, library, executable, gates, published=published)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or definition is None:
        raise InvalidWorkflow(errors)
    return definition


def problems(text: str, *, library: Library = library,
             executable: frozenset[str] | None = None,
             gates: frozenset[str] | None = None) -> list[Problem]:
    """Every error and warning of a document, by line. Never raises."""
    return _read(text, library, executable, gates)[1]


def _read(text: str, library: Library, executable: frozenset[str] | None,
          gates: frozenset[str] | None, *,
          published: bool = False) -> tuple[Definition | None, list[Problem]]:
    try:
        document = profile.load(text)
    except InvalidWorkflow as error:
        return None, error.problems
    reader = WorkflowReader(document)
    try:
        definition = _check(reader, library, executable, gates, published=published)
    except TooManyProblemsError:
        definition = None
    return definition, in_order(reader.problems)


def _check(reader: WorkflowReader, library: Library, executable: frozenset[str] | None,
           gates: frozenset[str] | None, *, published: bool) -> Definition | None:
    definition = reader.workflow()
    if not isinstance(reader.document.data, Mapping):
        return None
    check_cuts(reader)
    check_references(reader)
    if not published:
        check_kinds(reader)
        check_lengths(reader)
    actions = check_actions(reader, library)
    check_executable(reader, executable=executable, gates=gates)
    if definition is None:
        return None
    check_habits(reader, definition, actions)
    return replace(definition, answers=answers(actions), sends=any(
        action.effects == "send" for action in actions.values()))


def step_names(text: str) -> list[str] | None:
    """Ids and paths of the steps of a document; None when it cannot be read that far."""
    try:
        reader = WorkflowReader(profile.load(text))
    except InvalidWorkflow:
        return None
    reader.workflow()
    return [*reader.ids, *(placed.step.path for placed in reader.steps)]


def is_slug(text: str) -> bool:
    """Whether a text can be the id of a workflow or step."""
    return _SLUG.fullmatch(text) is not None


def plain(definition: Definition) -> dict[str, Any]:
    """The plain data a definition was made of."""
    return dict(definition.data)


def canonical(source: Definition | Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal for documents that differ in form only."""
    data = source.data if isinstance(source, Definition) else source
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(source: Definition | Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(source).encode()).hexdigest()


def split(text: str) -> list[str]:
    """The documents of a YAML stream, each with its text as written."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if line.rstrip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    return ["".join(part) for part in parts if "".join(part).strip()]
