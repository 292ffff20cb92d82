"""Workflows as files: what a folder of documents holds, what is wrong with it, how it differs from
the database, and how the one is made equal to the other.
"""

import difflib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile
from omni.yaml.profile import Problem
from registry.language import document
from registry.models import Workflow
from registry.trials import workflow_tests
from registry.versions import publishing
from registry.versions.drafts import problems, save_draft

ENDING = ".yaml"


@dataclass(frozen=True, slots=True)
class FileDocument:
    """One document of a file, as written. slug: its id, "" when it has none that can be read.

    lines: for each line of the text its number in the file.
    """

    file: Path
    text: str
    lines: tuple[int, ...]
    slug: str


@dataclass(frozen=True, slots=True)
class Found:
    """One problem and the file it stands in; its line is that of the file."""

    file: Path
    problem: Problem

    @property
    def is_error(self) -> bool:
        return self.problem.severity == "error"

    def as_dict(self) -> dict[str, Any]:
        return {"file": str(self.file), **self.problem.as_dict()}

    def __str__(self) -> str:
        kind = "" if self.is_error else "warning: "
        return (f"{self.file}:{self.problem.line}:{self.problem.column}: "
                f"{kind}{self.problem.message}")


class DocumentsRefused(InvalidInput):
    """Documents with errors; nothing was stored. found: every problem, warnings included."""

    def __init__(self, found: list[Found]) -> None:
        super().__init__("\n".join(map(str, found)), code="documents_refused")
        self.found = found


@dataclass(slots=True)
class Change:
    """What becomes, or would become, of one workflow: create, update, unchanged or prune.

    file: None for one that is in no file. version: the newest published number after it.
    """

    slug: str
    action: str
    file: Path | None = None
    version: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"workflow": self.slug, "action": self.action, "version": self.version,
                "file": str(self.file) if self.file else None}


@dataclass(slots=True)
class Difference:
    """How a document differs from the database. state: same, new, changed, draft (the version is
    the same, the draft is not), unpublished or archived. lines: a unified diff.
    """

    document: FileDocument
    state: str
    lines: list[str] = field(default_factory=list)


def read(paths: Sequence[Path]) -> list[FileDocument]:
    """Every document of these files and folders, in a stable order.

    Raises InvalidInput for what cannot be read, and where there is no document at all.
    """
    documents = [one for file in _files(paths) for one in _documents(file)]
    if not documents:
        raise InvalidInput(f"there is no document in {', '.join(map(str, paths))}")
    return documents


def _files(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            for file in sorted(_below(path), key=lambda file: file.parts):
                found.setdefault(file.resolve(), file)
        elif path.exists():
            found.setdefault(path.resolve(), path)
        else:
            raise InvalidInput(f"{path} is not there")
    return list(found.values())


def _below(folder: Path) -> Iterator[Path]:
    """The documents of a folder; one that cannot be looked into is an error, for what is not seen
    could be taken for gone.
    """
    def refuse(exc: OSError) -> None:
        raise InvalidInput(f"{exc.filename} cannot be read: {exc.strerror}") from exc

    for place, _, names in os.walk(folder, onerror=refuse):
        yield from (Path(place, name) for name in names if name.endswith(ENDING))


def _documents(file: Path) -> Iterator[FileDocument]:
    """Documents are separated by `---`; comments before the first such line belong to the next."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise InvalidInput(f"{file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"{file} is no UTF-8 text: {exc.reason} at byte {exc.start}") from exc
    part: list[tuple[int, str]] = []
    for number, line in enumerate([*text.splitlines(keepends=True), "---"], start=1):
        if line.rstrip() != "---":
            part.append((number, line))
        elif any(said and not said.startswith("#") for said in (row.strip() for _, row in part)):
            written = "".join(row for _, row in part)
            yield FileDocument(file, written, tuple(number for number, _ in part),
                               _slug(written))
            part = []


def _slug(text: str) -> str:
    try:
        data = profile.load(text).data
    except InvalidWorkflow:
        return ""
    slug = data.get("id") if isinstance(data, dict) else None
    return slug if isinstance(slug, str) and document.is_slug(slug) else ""


def check(documents: Sequence[FileDocument]) -> list[Found]:
    """Every error and warning of the documents, by file and line."""
    found: list[Found] = []
    first: dict[str, FileDocument] = {}
    for one in documents:
        found += [_placed(one, problem) for problem in problems(one.text)]
        if one.slug in first:
            before = first[one.slug]
            found.append(_placed(one, Problem(
                _line_of_id(one), 1, "duplicate_id",
                f"workflow '{one.slug}' stands in {before.file}:{before.lines[0]} as well")))
        elif one.slug:
            first[one.slug] = one
    return found


def _placed(one: FileDocument, problem: Problem) -> Found:
    beyond = max(0, problem.line - len(one.lines))  # an end that came too early
    line = one.lines[problem.line - beyond - 1] + beyond
    return Found(one.file, Problem(line, problem.column, problem.code, problem.message,
                                   problem.suggestion, problem.severity))


def _line_of_id(one: FileDocument) -> int:
    return profile.load(one.text).key_mark(("id",))[0]


def refuse_errors(documents: Sequence[FileDocument], *, drafts: bool = False) -> list[Found]:
    """The warnings of documents that may be stored. Raises DocumentsRefused for the others.

    drafts: only what has no readable id, or one that comes twice, is refused.
    """
    found = check(documents)
    unreadable = {one.file for one in documents if not one.slug}
    if any(one.is_error and (not drafts or one.file in unreadable
                             or one.problem.code == "duplicate_id") for one in found):
        raise DocumentsRefused(found)
    return found


def plan(documents: Sequence[FileDocument], *, drafts: bool = False,
         prune: bool = False) -> list[Change]:
    """What storing the documents would do to each workflow.

    drafts: only the drafts are compared. prune: also what is in no document.
    """
    known = {workflow.slug: workflow for workflow in Workflow.objects.all()}
    changes = [Change(one.slug, _action(known.get(one.slug), one.text, drafts), one.file,
                      _version(known.get(one.slug))) for one in documents]
    if prune:
        named = {one.slug for one in documents}
        changes += [Change(slug, "prune", None, _version(workflow))
                    for slug, workflow in sorted(known.items())
                    if slug not in named and workflow.archived_at is None]
    return changes


def _action(workflow: Workflow | None, text: str, drafts: bool) -> str:
    if workflow is None:
        return "create"
    latest = workflow.latest()
    same = workflow.archived_at is None and workflow.draft == text and (
        drafts or (latest is not None and latest.text == text))
    return "unchanged" if same else "update"


def _version(workflow: Workflow | None) -> int | None:
    latest = workflow.latest() if workflow else None
    return latest.number if latest else None


def apply(documents: Sequence[FileDocument], *, actor: str, note: str, drafts: bool = False,
          prune: bool = False) -> list[Change]:
    """Store and publish the documents, all or none, and tell what became of each workflow.

    drafts: publish nothing. prune: archive the workflows that are in no document.
    Raises DocumentsRefused before anything is stored.
    """
    refuse_errors(documents, drafts=drafts)
    texts = {one.slug: one.text for one in documents}
    changes = plan(documents, drafts=drafts, prune=prune)
    for change in () if drafts else changes:
        if change.action in ("create", "update"):
            publishing.need_sound(texts[change.slug], tests=workflow_tests.problems)
    with transaction.atomic():
        for change in changes:
            if change.action == "prune":
                publishing.archive(Workflow.objects.get(slug=change.slug), actor=actor)
            elif change.action != "unchanged":
                workflow = save_draft(texts[change.slug], actor=actor)
                if not drafts:
                    change.version = publishing.publish_sound(
                        workflow, texts[change.slug], actor=actor, note=note).number
    return changes


def differences(documents: Sequence[FileDocument]) -> list[Difference]:
    """How each document differs from what the database has under its id."""
    known = {workflow.slug: workflow for workflow in Workflow.objects.all()}
    return [_difference(one, known.get(one.slug)) for one in documents]


def _difference(one: FileDocument, workflow: Workflow | None) -> Difference:
    if workflow is None:
        return Difference(one, "new", _diff("", one, "nothing"))
    latest = workflow.latest()
    if workflow.archived_at is not None:
        return Difference(one, "archived", _diff(publishing.export_text(workflow), one, "archived"))
    if latest is not None and latest.text != one.text:
        return Difference(one, "changed", _diff(latest.text, one, f"v{latest.number}"))
    if workflow.draft != one.text:
        return Difference(one, "draft", _diff(workflow.draft, one, "draft"))
    return Difference(one, "same" if latest else "unpublished")


def _diff(before: str, one: FileDocument, version: str) -> list[str]:
    lines = difflib.unified_diff(
        before.split("\n"), one.text.split("\n"), fromfile=f"database: {one.slug} {version}",
        tofile=f"{one.file}:{one.lines[0]}", lineterm="")
    return list(lines)


def export(workflows: Sequence[Workflow], folder: Path) -> Iterator[tuple[Workflow, Path]]:
    """Write each workflow's newest text, as it was written, to `<id>.yaml`.

    Raises InvalidInput when a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for workflow in workflows:
            path = folder / f"{workflow.slug}{ENDING}"
            part = path.with_name(f".{path.name}.part")
            part.write_bytes(publishing.export_text(workflow).encode())
            os.replace(part, path)
            yield workflow, path
    except OSError as exc:
        raise InvalidInput(f"{exc.filename or folder} cannot be written: {exc.strerror}") from exc
