"""What PostgreSQL can store: NUL and lone surrogates are replaced, long names shortened, and
numbers that JSON does not have become null.
"""

import json
import math
from hashlib import sha256
from typing import Any

from connections.payload import sanitize_text

REF_BYTES = 1000  # an index of PostgreSQL takes 2704 bytes for all its columns
_REF_START = 200  # characters that are kept of a longer one


def storable_json(value: Any) -> str:
    """`value` as JSON text; only data with something to replace is walked."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
        if "\\u0000" not in text:
            text.encode()
            return text
    except (UnicodeEncodeError, ValueError, TypeError):  # the last: a key that is no text
        pass
    return json.dumps(storable(value), ensure_ascii=False, default=str, allow_nan=False)


def storable(value: Any) -> Any:
    """A copy of JSON data in which every text, keys too, and every number can be stored."""
    if isinstance(value, str):
        return sanitize_text(value)
    if isinstance(value, dict):
        return {sanitize_text(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value if is_finite(value) else None


def is_finite(value: Any) -> bool:
    """False for NaN, the infinities, and whole numbers beyond every float."""
    try:
        return not isinstance(value, int | float) or math.isfinite(value)
    except OverflowError:
        return False


def storable_ref(text: str) -> str:
    """A native name as an index can hold it: a long one by its start and its digest."""
    if len(text) <= REF_BYTES and text.isascii() and "\x00" not in text:
        return text
    text = sanitize_text(text)
    encoded = text.encode()
    if len(encoded) <= REF_BYTES:
        return text
    return f"{text[:_REF_START]}~{sha256(encoded).hexdigest()}"
