"""What the gates of a workflow count an event under: workflow, gate, account and value in one text,
so that what one account uses up or holds is never another's.
"""

import hashlib
import json
from itertools import islice
from typing import Any

from connections.payload import sanitize_text
from events.models import Event
from registry.expressions.budget import Budget, TooMuchError, spend_all
from registry.expressions.expression import Expression
from registry.expressions.lazy import Lazy
from registry.expressions.sameness import canonical, missing_parts
from registry.expressions.values import plain

_PARTS_NAMED = 3  # of the parts of a key that are null


def slot_in(workflow_id: int, conversation_id: int) -> str:
    return f"{workflow_id}:conversation:{conversation_id}"


def burst_in(workflow_id: int, instance_id: int, conversation_id: int | None) -> str:
    return f"{workflow_id}:burst:{instance_id}:{conversation_id}"


def of_burst(workflow_id: int, key: Expression | None, roots: Lazy, event: Event) -> str | None:
    if key is not None:
        return of_gate(workflow_id, "burst", key, roots, event)
    if event.conversation_id is not None:
        return burst_in(workflow_id, event.instance_id, event.conversation_id)
    ref = event.conversation_ref
    return _named(workflow_id, "burst", event.instance_id, ref) if ref else None


def of_gate(workflow_id: int, gate: str, key: Expression | None, roots: Lazy,
            event: Event) -> str | None:
    """None when a part of the key is missing: events that lack a field have nothing in common.

    Without a key there is one count for the account's runs.
    """
    if key is None:
        return _named(workflow_id, gate, event.instance_id, None)
    value = key.evaluate(roots)
    try:
        with Budget(whose="a key"):
            spend_all([value])
            if next(missing_parts(value), None) is not None:
                return None
            return _named(workflow_id, gate, event.instance_id, value)
    except TooMuchError as error:
        raise key.refused(error) from error


def why_none(key: Expression | None, roots: Lazy) -> str:
    """Why a gate has no key for this event, naming the first parts that are missing."""
    if key is None:
        return "there is no conversation"
    parts = list(islice(missing_parts(key.evaluate(roots)), _PARTS_NAMED + 1))
    if parts == [""]:
        return "its key is null"
    more = " and more" if len(parts) > _PARTS_NAMED else ""
    return f"its key is null at {', '.join(parts[:_PARTS_NAMED])}{more}"


def with_former(key: str) -> dict[str, Any]:
    """A key beside the one of runs that were stored while all accounts were counted together:
    {key, former, instance_id}. Of those runs only the account's own count.
    """
    workflow, gate, instance, value = key.split(":", 3)
    return {"key": key, "former": f"{workflow}:{gate}:{value}", "instance_id": int(instance)}


def _named(workflow_id: int, gate: str, instance_id: int, value: Any) -> str:
    """All of it in one text; a long value by its digest."""
    said = sanitize_text(json.dumps(canonical(value), default=plain, ensure_ascii=False,
                                    sort_keys=True))
    if len(said) > 100:
        said = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return f"{workflow_id}:{gate}:{instance_id}:{said}"
