"""What the gates of a workflow count an event under: workflow, gate and value in one text."""

import hashlib
import json
from typing import Any

from connections.payload import sanitize_text
from events.models import Event
from registry.expressions import Expression
from registry.lazy import Lazy
from registry.sameness import canonical
from registry.values import is_nothing, plain


def slot_in(workflow_id: int, conversation_id: int) -> str:
    return f"{workflow_id}:conversation:{conversation_id}"


def burst_in(workflow_id: int, instance_id: int, conversation_id: int | None) -> str:
    return f"{workflow_id}:burst:{instance_id}:{conversation_id}"


def of_burst(workflow_id: int, key: Expression | None, roots: Lazy, event: Event) -> str | None:
    """A burst is of one account: its run works for the account it began at."""
    if key is not None:
        return of_gate(workflow_id, f"burst:{event.instance_id}", key, roots)
    if event.conversation_id is not None:
        return burst_in(workflow_id, event.instance_id, event.conversation_id)
    ref = event.conversation_ref
    return named(workflow_id, f"burst:{event.instance_id}", ref) if ref else None


def of_gate(workflow_id: int, gate: str, key: Expression | None, roots: Lazy) -> str | None:
    """None when the key names nothing (`values.is_nothing`): events that lack a field have nothing
    in common. Without a key there is one count for the whole workflow.
    """
    if key is None:
        return named(workflow_id, gate, None)
    value = key.evaluate(roots)
    return None if is_nothing(value) else named(workflow_id, gate, value)


def named(workflow_id: int, gate: str, value: Any) -> str:
    """Workflow, gate and value in one text; a long value by its digest."""
    said = sanitize_text(json.dumps(canonical(value), default=plain, ensure_ascii=False,
                                    sort_keys=True))
    if len(said) > 100:
        said = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()
    return f"{workflow_id}:{gate}:{said}"
