"""JSON that PostgreSQL stores as jsonb: what it refuses (NUL, lone surrogates) is replaced."""

import json
from typing import Any

from connections.payload import sanitize_text


def storable_json(value: Any) -> str:
    """`value` as JSON text; only texts with something to replace are walked."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    if "\\u0000" not in text:
        try:
            text.encode()
            return text
        except UnicodeEncodeError:
            pass
    return json.dumps(storable(value), ensure_ascii=False, default=str)


def storable(value: Any) -> Any:
    """A copy of JSON data in which every text, keys too, can be stored."""
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, dict):
        return {sanitize_text(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
