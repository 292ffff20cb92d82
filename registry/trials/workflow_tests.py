"""Runs the `tests:` of workflow documents and says, line by line, what was not as expected.

They run before a draft is published, by command and by the API.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from django.utils import timezone

from actions import library
from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile
from omni.yaml.marks import Document, Path, Problem
from registry.expressions.names import nearest
from registry.expressions.values import to_time
from registry.language.check_actions import Library
from registry.language.document import parse, split
from registry.models import Workflow
from registry.trials import staging, trial
from registry.trials.tracing import json_of
from registry.trials.trial import Trial
from registry.trials.watching import UNWATCHED, Watch

SECONDS = 60.0  # most one test may take
SHOWN = 300  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test. failures: what was not as expected, each at its line; trial: None when the event
    could not be built. expect: what the document says. lines: where each part of it stands.
    """

    name: str
    line: int
    failures: list[Problem] = field(default_factory=list)
    trial: Trial | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "line": self.line, "passed": self.passed,
                "failures": [item.as_dict() for item in self.failures],
                "trial": self.trial.as_dict() if self.trial else None}


def run_tests(text: str, *, watch: Watch = UNWATCHED,
              library: Library = library) -> list[TestResult]:
    """Run every test of a document. watch: who may end it.

    Raises InvalidWorkflow when the document has errors.
    """
    parse(text, library=library)
    document = profile.load(text)
    tests = document.data.get("tests") if isinstance(document.data, Mapping) else None
    return [_run(text, document, number, test, watch, library)
            for number, test in enumerate(tests if isinstance(tests, list) else ())]


def has_tests(text: str) -> bool:
    """Whether a document that can be read brings tests along."""
    try:
        data = profile.load(text).data
    except InvalidWorkflow:
        return False
    return isinstance(data, dict) and bool(data.get("tests"))


def problems(text: str, *, library: Library = library) -> list[Problem]:
    """The failures of every test, as problems of the document."""
    return [failure for result in run_tests(text, library=library)
            for failure in result.failures]


TestResult.__test__ = False  # type: ignore[attr-defined]  # whatever pytest says


def documents(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(title, text) of each document of files, folders of `*.yaml`, and drafts by slug.

    Raises InvalidInput for a name that is nothing, and for a file that cannot be read.
    """
    for name in names:
        path = FilePath(name)
        if path.exists():
            files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
            for file in files:
                for text in split(_text_of(file)):
                    yield str(file), text
            continue
        workflow = Workflow.objects.filter(slug=name).first()
        if workflow is None:
            near = nearest(name, Workflow.objects.values_list("slug", flat=True))
            hint = f"; did you mean '{near}'?" if near else ""
            raise InvalidInput(f"'{name}' is no file, no folder and no workflow{hint}")
        yield name, workflow.draft


def _text_of(file: FilePath) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInput(f"{file} cannot be read: {exc}") from exc


def _run(text: str, document: Document, number: int, test: Mapping[str, Any],
         watch: Watch, library: Library) -> TestResult:
    place: Path = ("tests", number)
    line, _ = document.mark(place)
    name = str(test.get("name") or f"test {number + 1}")
    moment = to_time(test.get("now"))
    try:
        found = trial.try_out(
            text, staging.build(test["event"], now=moment or timezone.now()), now=moment,
            inputs=test.get("inputs"), pins=test.get("mocks"), answers=test.get("answers"),
            seconds=SECONDS, watch=watch, library=library)
    except InvalidWorkflow:
        raise
    except InvalidInput as exc:
        return TestResult(name, line, [Problem(*document.mark((*place, "event")), "test_failed",
                                               f"{name}: {exc.message}")])
    return TestResult(name, line, [
        Problem(*document.mark((*place, "expect", *path)), "test_failed", f"{name}: {message}")
        for path, message in _differences(test["expect"], found)], found, test["expect"],
        {name: document.mark((*place, "expect", name))[0] for name in test["expect"]})


def _differences(expect: Mapping[str, Any], found: Trial) -> Iterator[tuple[Path, str]]:
    """(path below `expect`, what is different) for everything that is not as expected."""
    for name, wanted in expect.items():
        for path, message in _CHECKS[name](wanted, found):
            yield (name, *path), message


def came(name: str, wanted: Any, found: Trial) -> tuple[Any, bool]:
    """What came, in the words of one part of `expect`, and whether that is as expected."""
    return _CAME[name](wanted, found), not any(_CHECKS[name](wanted, found))


Checked = Iterator[tuple[Path, str]]


def _matched(wanted: bool, found: Trial) -> Checked:
    if wanted != found.matched:
        why = f" ({found.reason})" if found.reason else ""
        yield (), f"expected matched {_shown(wanted)}, got {_shown(found.matched)}{why}"


def _reason(wanted: str, found: Trial) -> Checked:
    said = _said(found)
    if wanted not in said:
        yield (), f"expected a reason with {_shown(wanted)}, got {_shown(said)}"


def _said(found: Trial) -> str:
    return (found.end or found.reason) if found.state else found.reason


def _state(wanted: str, found: Trial) -> Checked:
    if wanted != found.state:
        got = f"{found.state}: {found.end}" if found.end else found.state
        yield (), f"expected the run to end as {wanted}, got {got or _not_begun(found)}"


def _path(wanted: Sequence[str], found: Trial) -> Checked:
    taken = _taken(found)
    rest = iter(taken)
    for number, step in enumerate(wanted):
        if not any(step in names for names in rest):
            done = ", ".join(names[0] for names in taken) or _not_begun(found)
            yield (number,), f"expected {step} to be done here; done were, in order: {done}"
            return


def _not_path(wanted: Sequence[str], found: Trial) -> Checked:
    taken = _taken(found)
    for number, step in enumerate(wanted):
        if any(step in names for names in taken):
            yield (number,), f"expected {step} not to be done, and it was"


def _taken(found: Trial) -> list[list[str]]:
    """Names of each step that was done, its id first."""
    return [[name for name in (entry["id"], entry["path"]) if name] for entry in found.path
            if entry["status"] != "skipped"]


def _sends(wanted: Sequence[Any], found: Trial) -> Checked:
    sent = json_of(found.sends)
    for number, (expected, got) in enumerate(zip(wanted, sent, strict=False)):
        for path, message in _subset(expected, got):
            yield (number, *path), message
    if len(sent) < len(wanted):
        yield (len(sent),), f"expected {len(wanted)} sends, got {len(sent)}"
    elif len(sent) > len(wanted):
        more = {name: sent[len(wanted)].get(name) for name in _SENT}
        yield (), f"expected {len(wanted)} sends, got {len(sent)}; the next one is {_shown(more)}"


def _outputs(wanted: Mapping[str, Any], found: Trial) -> Checked:
    known = _known(found)
    for step, expected in wanted.items():
        if step not in known:
            yield (step,), f"expected an output of {step}, which was not done"
            continue
        for path, message in _subset(expected, json_of(known[step])):
            yield (step, *path), message


def _known(found: Trial) -> dict[str, Any]:
    """The output of each step that was done, by its path and its id."""
    known: dict[str, Any] = {}
    for entry in found.path:
        known.update({entry["path"]: entry["output"]}, **(
            {entry["id"]: entry["output"]} if entry["id"] else {}))
    return known


def _gates(wanted: Mapping[str, Any], found: Trial) -> Checked:
    for gate, expected in wanted.items():
        if gate not in found.gates:
            yield (gate,), f"expected a key of {gate}, which this workflow has not, or did not ask"
        else:
            for path, message in _subset(expected, json_of(found.gates[gate])):
                yield (gate, *path), message


_CHECKS: Mapping[str, Callable[[Any, Trial], Checked]] = {
    "matched": _matched, "reason": _reason, "state": _state, "path": _path,
    "not_path": _not_path, "sends": _sends, "outputs": _outputs, "gates": _gates}


def _sent_like(wanted: Sequence[Any], found: Trial) -> list[Any]:
    """What went out, each with the fields the test names of it."""
    sent = json_of(found.sends)
    return [_like(wanted[number] if number < len(wanted) else dict.fromkeys(_SENT), one)
            for number, one in enumerate(sent)]


def _like(wanted: Any, got: Any) -> Any:
    """`got` without what `wanted` does not name."""
    if not (isinstance(wanted, Mapping) and isinstance(got, Mapping)):
        return got
    return {name: _like(value, got.get(name)) for name, value in wanted.items()}


_SENT = ("kind", "to", "text")
_CAME: Mapping[str, Callable[[Any, Trial], Any]] = {
    "matched": lambda wanted, found: found.matched,
    "reason": lambda wanted, found: _said(found),
    "state": lambda wanted, found: found.state or _not_begun(found),
    "path": lambda wanted, found: [names[0] for names in _taken(found)],
    "not_path": lambda wanted, found: [names[0] for names in _taken(found)],
    "sends": _sent_like,
    "outputs": lambda wanted, found: _like(wanted, json_of(_known(found))),
    "gates": lambda wanted, found: _like(wanted, json_of(found.gates))}


def _subset(expected: Any, got: Any) -> Checked:
    """Where `got` lacks something of `expected`; mappings may hold more, lists may not."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        for name, value in expected.items():
            if name not in got and value is not None:
                yield (name,), f"expected {name}: {_shown(value)}, got none"
                continue
            for path, message in _subset(value, got.get(name)):
                yield (name, *path), message
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, (one, other) in enumerate(zip(expected, got, strict=True)):
            for path, message in _subset(one, other):
                yield (number, *path), message
    elif expected != got or isinstance(expected, bool) != isinstance(got, bool):
        yield (), f"expected {_shown(expected)}, got {_shown(got)}"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else profile.dump(value).strip()
    text = text.removesuffix("...").strip().replace("\n", ", ")
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _not_begun(found: Trial) -> str:
    return f"nothing ({found.reason})" if not found.matched else "nothing"
