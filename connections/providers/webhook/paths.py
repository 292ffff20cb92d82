"""Dotted paths into a payload, such as `data.items[0].id`, `"odd.key".id` or `header:x-event`."""

import re
from collections.abc import Mapping
from typing import Any

_SEGMENT = re.compile(r'(?:^|\.)(?:"([^"]{1,200})"|([^.\[\]"]{1,200}))|\[(\d{1,9})\]')
HEADER = "header:"


def compile_path(path: str) -> list[str | int]:
    """The steps of a path. Raises ValueError when it cannot be read."""
    steps: list[str | int] = []
    end = 0
    while end < len(path):
        match = _SEGMENT.match(path, end)
        if match is None or (match[3] and not end):
            raise ValueError(f"cannot read path '{path}' at position {end + 1}; write a.b[0].c, or "
                             '"a.b" for a name with a dot')
        steps.append(int(match[3]) if match[3] else match[1] or match[2])
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


def _member(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(str(step))
    if isinstance(value, list):
        index = step if isinstance(step, int) else int(step) if step.isdecimal() else None
        if index is not None and index < len(value):
            return value[index]
    return None
