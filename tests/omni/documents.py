"""What the documents must say, told from the code: rows of tables, as they are written."""

import json
from pathlib import Path

from pydantic_core import PydanticUndefined

from actions.base import Action

ROOT = Path(__file__).resolve().parents[2]


def action_row(action: Action) -> str:
    return f"| `{action.id}` | {action.effects} | {action.timeout:g} s | {action.summary} |"


def parameter_rows(action: Action) -> list[str]:
    return [f"| `{name}` | {_default(field)} | {field.description} |"
            for name, field in action.params.model_fields.items()]


def _default(field) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    return f"`{json.dumps(field.default)}`"


def section(text: str, title: str) -> str:
    """The lines below a heading, up to the next heading of any level."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.lstrip("# ") == title
                 and line.startswith("#"))
    end = next((number for number in range(start + 1, len(lines))
                if lines[number].startswith("#")), len(lines))
    return "\n".join(lines[start + 1:end])


def rows_of(text: str) -> list[str]:
    """The body rows of every table in a text whose first cell is code."""
    return [line for line in text.splitlines() if line.startswith("| `")]
