"""What changed between two texts of a workflow: line by line, and part by part. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from registry.language import grammar

_APART = ("id", "steps", "on_error", "trigger", "inputs", *grammar.GATES)  # others are settings
_ARMS = ("do", "else")


@dataclass(frozen=True, slots=True)
class Change:
    """One part that differs. at: its id, name or path. before, after: null where it is not."""

    at: str
    change: Literal["added", "removed", "changed", "moved"]
    before: Any = None
    after: Any = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Part:
    """One step without the steps inside it. path: as traces write it. around: path of the step it
    stands in, "" for none. arm: which list of that.
    """

    path: str
    around: str
    arm: str
    id: str | None
    data: Mapping[str, Any]


def textual(before: str, after: str, *, names: tuple[str, str]) -> str:
    """Unified diff of two texts, "" when they are the same. names: what each is called in it."""
    return "".join(
        line if line.endswith("\n") else f"{line}\n" for line in difflib.unified_diff(
            before.splitlines(keepends=True), after.splitlines(keepends=True),
            fromfile=names[0], tofile=names[1]))


def beside(before: str, after: str) -> list[tuple[str | None, str | None, bool]]:
    """Two texts side by side: (left line, right line, whether they are equal); None fills a gap."""
    left, right = before.splitlines(), after.splitlines()
    rows: list[tuple[str | None, str | None, bool]] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, left, right).get_opcodes():
        for number in range(max(b - a, d - c)):
            rows.append((left[a + number] if a + number < b else None,
                         right[c + number] if c + number < d else None, tag == "equal"))
    return rows


def structural(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Change]]:
    """What differs in two documents, as plain data: settings, inputs, triggers, gates, steps.

    Steps are known by their id, those without one by their content, then by their path.
    """
    settings = [name for name in (*before, *after) if name not in _APART]
    return {
        "settings": _by_name(before, after, settings),
        "inputs": _by_name(_mapping(before.get("inputs")), _mapping(after.get("inputs"))),
        "triggers": _triggers(_list(before.get("trigger")), _list(after.get("trigger"))),
        "gates": _by_name(before, after, grammar.GATES),
        "steps": _steps(list(parts(before)), list(parts(after)))}


def _by_name(before: Mapping[str, Any], after: Mapping[str, Any],
             names: Any = None) -> list[Change]:
    known = dict.fromkeys(names if names is not None else (*before, *after))
    return [_change(str(name), before.get(name), after.get(name)) for name in known
            if not _same(before.get(name), after.get(name))]


def _change(at: str, before: Any, after: Any) -> Change:
    kind: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed")
    return Change(at, kind, before, after)


def _triggers(before: list, after: list) -> list[Change]:
    """Equal triggers belong together wherever they stand, the others in their order."""
    old, new = _without_equal(list(enumerate(before)), list(enumerate(after)))
    changes = []
    for number in range(max(len(old), len(new))):
        index, left = old[number] if number < len(old) else (None, None)
        place, right = new[number] if number < len(new) else (index, None)
        changes.append(_change(f"trigger[{place}]", left, right))
    return changes


def _steps(before: list[Part], after: list[Part]) -> list[Change]:
    old_names, new_names = _names(before, after)
    old, new = dict(zip(old_names, before, strict=True)), dict(zip(new_names, after, strict=True))
    left, right = _homes(old), _homes(new)
    changes = [_change(at, dict(old[at].data) if at in old else None,
                       dict(new[at].data) if at in new else None)
               for at in dict.fromkeys((*old, *new))
               if at not in old or at not in new or not _same(old[at].data, new[at].data)]
    both = [at for at in old if at in new]
    still = _in_order(both, [at for at in new if at in old])
    changed = {change.at for change in changes}
    return changes + [Change(at, "moved", old[at].path, new[at].path) for at in both
                      if at not in changed
                      and (at not in still or left[at] != right[at])]


def _homes(steps: Mapping[str, Part]) -> dict[str, tuple[str, str]]:
    """Name of a step -> the name of the step it stands in, and in which of its lists."""
    names = {part.path: name for name, part in steps.items()}
    return {name: (names.get(part.around, ""), part.arm) for name, part in steps.items()}


def _names(before: list[Part], after: list[Part]) -> tuple[list[str], list[str]]:
    """What each step is called on both sides: its id, or a path both sides share."""
    old = [part.id or "" for part in before]
    new = [part.id or "" for part in after]
    left = [(number, part) for number, part in enumerate(before) if not part.id]
    right = [(number, part) for number, part in enumerate(after) if not part.id]
    taken: set[str] = set()
    for number, part in left:
        twin = next(((place, other) for place, other in right
                     if not new[place] and _same(part.data, other.data)), None)
        if twin is not None:
            old[number] = new[twin[0]] = twin[1].path
            taken.add(twin[1].path)
    for names, unnamed in ((old, left), (new, right)):
        for number, part in unnamed:
            if not names[number]:
                names[number] = part.path if part.path not in taken else f"{part.path} (before)"
    return old, new


def _in_order(before: list[str], after: list[str]) -> set[str]:
    """The names that keep their order among each other."""
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return {name for block in blocks for name in before[block.a:block.a + block.size]}


def parts(document: Mapping[str, Any]) -> Iterator[Part]:
    """Every step of a document, also those inside others, in the order they are written.

    An id that is there twice, which only a draft can have, names its first step.
    """
    seen: set[str] = set()
    for name in ("steps", "on_error"):
        for part in _walk(name, document.get(name)):
            yield replace(part, id=None) if part.id in seen else part
            seen.add(part.id or "")


def _walk(path: str, steps: Any, around: str = "") -> Iterator[Part]:
    for number, step in enumerate(_list(steps)):
        if not isinstance(step, Mapping):
            continue
        place, inner, own = f"{path}[{number}]", [], {}
        for key, value in step.items():
            own[key], found = _split(f"{place}.{key}", key, value)
            inner.extend(found)
        yield Part(place, around, path.removeprefix(around),
                   step["id"] if isinstance(step.get("id"), str) else None, own)
        for below, nested in inner:
            yield from _walk(below, nested, place)


def _split(path: str, key: str, value: Any) -> tuple[Any, list[tuple[str, Any]]]:
    """A key of a step without the steps inside it, and those with their paths."""
    if key == "on_error" and isinstance(value, list):
        return "steps", [(path, value)]
    if key == "branch" and isinstance(value, list):
        arms = [arm if isinstance(arm, Mapping) else {} for arm in value]
        return ([_bare(arm, _ARMS) for arm in arms],
                [(f"{path}[{number}].{name}", arm[name]) for number, arm in enumerate(arms)
                 for name in _ARMS if name in arm])
    if key == "for_each" and isinstance(value, Mapping):
        return _bare(value, ("do",)), [(f"{path}.do", value.get("do"))]
    if key == "parallel" and isinstance(value, Mapping):
        return list(value), [(f"{path}.{name}", steps) for name, steps in value.items()]
    if key == "decide" and isinstance(value, Mapping):
        options = _mapping(value.get("options"))
        return ({**value, "options": list(options)},
                [(f"{path}.options.{name}", steps) for name, steps in options.items()])
    return value, []


def _bare(arm: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {key: "steps" if key in names else value for key, value in arm.items()}


def _without_equal(before: list, after: list) -> tuple[list, list]:
    rest = list(after)
    old = []
    for number, item in before:
        twin = next((place for place, (_, other) in enumerate(rest) if _same(item, other)), None)
        if twin is None:
            old.append((number, item))
        else:
            del rest[twin]
    return old, rest


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(
        other, sort_keys=True, default=str)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]
