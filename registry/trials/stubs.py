"""What stands in for a step that a trial does not do: a pin, what it gave before, or a sample."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from actions.base import STATUSES, Outcome, done
from events.models import EventAction
from registry.language.definition import Step
from registry.models import Run

Past = Callable[[Step], dict[str, Any] | None]
RUNS_SEARCHED = 50  # newest runs of the workflow
_OUTCOME_KEYS = frozenset(("status", "code", "reason", "output"))
_EMPTY: Mapping[str, Any] = {"integer": 0, "number": 0.0, "boolean": False, "array": [],
                             "object": {}, "null": None}


def outcome_of(given: Mapping[str, Any]) -> Outcome:
    """The outcome that a pin stands for: an output, or {status, code, reason, output}."""
    if given.get("status") in STATUSES and given.keys() <= _OUTCOME_KEYS:
        status = given["status"]
        reason = given.get("reason") or ("" if status == "done" else f"pinned as {status}")
        return Outcome(status, dict(given.get("output") or {}), reason,
                       given.get("code") or ("" if status == "done" else status))
    return done(**given)


def past_of(slug: str, runs: Any = None) -> Past:
    """Looks for the newest `done` outcome of the same workflow, path and action.

    runs: the runs that may be looked at (a queryset), by default all.
    """
    newest = list((Run.objects.all() if runs is None else runs).filter(workflow__slug=slug)
                  .order_by("-id").values_list("pk", flat=True)[:RUNS_SEARCHED])

    def look(step: Step) -> dict[str, Any] | None:
        return EventAction.objects.filter(
            run_id__in=newest, path=step.path, action=step.body.action_id, status="done",
            final=True).order_by("-id").values_list("output", flat=True).first()

    return look


def sample(model: type[BaseModel]) -> dict[str, Any]:
    """An output made from its model alone: examples and defaults, else an empty value by type.

    A text named `text` is never empty: that is what the next step passes on.
    """
    schema = model.model_json_schema()
    return {name: _value(name, prop, schema.get("$defs", {}))
            for name, prop in schema.get("properties", {}).items()}


def _value(name: str, prop: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    if prop.get("examples"):
        return prop["examples"][0]
    if name == "text" and not prop.get("default") and _type(prop, defs) == "string":
        return "sample text"
    if "default" in prop:
        return prop["default"]
    if "enum" in prop:
        return prop["enum"][0]
    inner = _resolved(prop, defs)
    if inner.get("type") == "object" and "properties" in inner:
        return {key: _value(key, part, defs) for key, part in inner["properties"].items()}
    kind = _type(prop, defs)
    return f"sample {name}" if kind == "string" else _EMPTY.get(kind)


def _resolved(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in prop:
        return defs.get(prop["$ref"].rsplit("/", 1)[-1], {})
    return prop


def _type(prop: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    prop = _resolved(prop, defs)
    for choice in prop.get("anyOf", ()):
        if (kind := _type(choice, defs)) != "null":
            return kind
    return str(prop.get("type", "null"))
