"""What a run waits for, and whether an event is it. Pure.

Equality pairs become a digest, so that an incoming event finds its waits by one indexed look-up;
`where` filters what was found.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from registry.expressions.budget import Budget, TooMuchError, spend_all
from registry.expressions.expression import Expression, ExpressionError, compile_expression
from registry.expressions.lazy import Lazy
from registry.expressions.sameness import canonical
from registry.expressions.values import plain
from registry.language.event_types import fits_type

FIELDS = {  # short names of columns
    "conversation": "conversation_id", "contact": "contact_id", "actor": "actor_id",
    "instance": "instance_id", "type": "event_type", "kind": "event_type"}
NEVER = "never"  # the digest of a wait with a pair that is null: nothing fits it
FROZEN = frozenset(("vars", "steps", "inputs", "run", "item", "loop", "now"))


@dataclass(slots=True)
class Wait:
    """One thing a run waits for; see models.Wait for the fields.

    result: what settled it: {event} of an event, {decision, edited, …} of an approval,
    {run, state, output, reason} of a call.
    """

    path: str
    iteration: str
    kind: str
    wake_at: datetime | None = None
    since_id: int = 0
    event_types: tuple[str, ...] = ()
    fields: str = ""
    match_hash: str = ""
    where: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    state: str = "open"
    result: dict[str, Any] | None = None


class SoFar(NamedTuple):
    """All events up to `floor`, and those of `above`, were stored; any other came later."""

    floor: int
    above: tuple[int, ...] = ()


def for_event(path: str, iteration: str, *, kind: str, event_types: tuple[str, ...],
              pairs: Mapping[str, Any], where: Expression | None, scope: Lazy,
              before: SoFar, wake_at: datetime | None = None) -> Wait:
    """A wait for an event that was not there `before`.

    What `where` reads besides the event is kept as it is now.
    """
    named = {FIELDS.get(name, name): value for name, value in pairs.items()}
    names, digest = pairs_digest(named)
    facts: dict[str, Any] = {"pairs": named}
    if where is not None:
        facts["scope"] = _frozen(where, scope)
    if before.above:
        facts["before"] = list(before.above)
    return Wait(path, iteration, kind, wake_at=wake_at, since_id=before.floor,
                event_types=event_types, fields=names, match_hash=digest,
                where=where.source if where else "", facts=facts)


def pairs_digest(pairs: Mapping[str, Any]) -> tuple[str, str]:
    """(names joined by commas, digest) of equality pairs; a null among them fits nothing."""
    names = sorted(pairs)
    if any(pairs[name] is None for name in names):
        return ",".join(names), NEVER
    said = json.dumps([[name, canonical(pairs[name])] for name in names], sort_keys=True,
                      default=_written)
    return ",".join(names), hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def pairs_of(event: Mapping[str, Any], fields: str) -> dict[str, Any]:
    """What an event has in the fields a wait names."""
    return {name: _value(event, name) for name in (fields.split(",") if fields else [])}


def digest_of(event: Mapping[str, Any], fields: str) -> str | None:
    """The digest an event has for a wait that names these fields; None when it lacks one of them
    or one is too large to be looked at, because then it fits no such wait.
    """
    try:
        with Budget(whose="a look for waits"):
            pairs = pairs_of(event, fields)
            spend_all(pairs.values())
            digest = pairs_digest(pairs)[1]
    except TooMuchError:
        return None
    return None if digest == NEVER else digest


def takes(event_types: tuple[str, ...], where: str, facts: Mapping[str, Any],
          event_type: str, scope: Lazy) -> bool:
    """Whether an event that has the right pairs is what is waited for.

    scope: roots of the event. An expression that meets a wrong kind of value says no.
    """
    if not fits_type(event_types, event_type):
        return False
    if not where:
        return True
    inner = scope.fork()
    inner.update(facts.get("scope", {}))
    try:
        return bool(_compiled(where).evaluate(inner))
    except ExpressionError:
        return False


def _value(event: Mapping[str, Any], dotted: str) -> Any:
    value: Any = event
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else plain(value)


def _frozen(where: Expression, scope: Lazy) -> dict[str, Any]:
    """The roots of the run that a filter reads, as plain data."""
    roots = {read.path[0] for read in where.reads} & FROZEN
    return {root: json.loads(json.dumps(scope.get(root), default=_written)) for root in roots}


@lru_cache(maxsize=4096)
def _compiled(where: str) -> Expression:
    return compile_expression(where)
