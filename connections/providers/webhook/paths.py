"""Dotted paths into a payload, such as `data.items[0].id`, `"odd.key".id` or `header:x-event`.

`data.order|json.id` reads the text at `data.order` as JSON and goes on inside it.
"""

import re
from collections.abc import Mapping
from typing import Any

from connections.payload import Unparsable, parse_json

_IN_TEXT = r"\|json(?=[.\[|]|$)"
_SEGMENT = re.compile(
    rf'(?:^|\.)(?:"([^"]{{1,200}})"|((?:(?!{_IN_TEXT})[^.\[\]"]){{1,200}}))|'
    rf"\[(\d{{1,9}})\]|({_IN_TEXT})")
HEADER = "header:"


class _Json:
    """The step that reads a text as JSON."""


JSON = _Json()
Step = str | int | _Json


def compile_path(path: str) -> list[Step]:
    """The steps of a path. Raises ValueError when it cannot be read."""
    steps: list[Step] = []
    end = 0
    while end < len(path):
        match = _SEGMENT.match(path, end)
        if match is None or (not end and (match[3] or match[4])):
            raise ValueError(f"cannot read path '{path}' at position {end + 1}; write a.b[0].c, "
                             '"a.b" for a name with a dot, a|json.b for JSON in a text')
        steps.append(int(match[3]) if match[3] else JSON if match[4] else match[1] or match[2])
        end = match.end()
    return steps


def read(path: str, payload: Any, headers: Mapping[str, str]) -> Any:
    """What `path` names in `payload`, None when it names nothing.

    A path that starts with `header:` names a header instead.
    """
    if path.startswith(HEADER):
        return headers.get(path[len(HEADER):].lower())
    found = payload
    for step in compile_path(path):
        found = _member(found, step)
    return found


def _member(value: Any, step: Step) -> Any:
    if isinstance(step, _Json):
        return _inside(value)
    if isinstance(value, Mapping):
        return value.get(str(step))
    if isinstance(value, list):
        index = step if isinstance(step, int) else int(step) if step.isdecimal() else None
        if index is not None and index < len(value):
            return value[index]
    return None


def _inside(value: Any) -> Any:
    """A text as the JSON it holds, None when it holds none; what is data already stays."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value.encode("utf-8", "replace")).value
    except Unparsable:
        return None
