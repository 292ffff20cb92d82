"""Which workflows an event wakes, and for each of the others the clause that said no.

The table of what is switched on is kept in memory and read again when a binding or workflow was
saved (their revisions are summed, so that every commit shows).
"""

import ast
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.db import connection

from events.models import Event
from omni.errors import InvalidWorkflow
from registry import document, scope
from registry.definition import Definition, Trigger
from registry.expressions import Expression, ExpressionError, compile_expression
from registry.models import Binding, WorkflowVersion

logger = logging.getLogger("omni.registry")
SCOPE_RANK = {"instance": 0, "provider": 1, "global": 2}
HOP_LIMIT = 5
PAST_SOURCES = ("history", "import")
_STAMP = """
SELECT (SELECT coalesce(sum(revision), 0) FROM omni_workflows),
       (SELECT count(*) FROM omni_workflow_versions),
       (SELECT coalesce(sum(revision), 0) FROM omni_bindings),
       (SELECT count(*) FROM omni_bindings),
       (SELECT coalesce(max(id), 0) FROM omni_bindings)
"""


@dataclass(frozen=True, slots=True)
class Effective:
    """A workflow as it is switched on for one instance; the narrowest binding decides key by key.

    binding_id: the narrowest binding. scope: its scope.
    """

    workflow_id: int
    slug: str
    version_id: int
    version_number: int
    definition: Definition
    binding_id: int
    scope: str
    priority: int
    inputs: Mapping[str, Any]


@dataclass(slots=True)
class Decision:
    """What matching came to. considered: see RoutingDecision. loops: the hop limit was reached."""

    matches: list[Effective] = field(default_factory=list)
    considered: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    loops: bool = False


class Table:
    """Everything that is switched on, as of one moment."""

    def __init__(self, stamp: tuple) -> None:
        self.stamp = stamp
        self._bindings: dict[int, list[Binding]] = {}
        self._latest: dict[int, WorkflowVersion] = {}
        self._by_instance: dict[tuple[int, str], list[Effective]] = {}
        self._by_type: dict[tuple[int, str, str], list[Effective]] = {}
        rows = Binding.objects.filter(workflow__archived_at__isnull=True).select_related(
            "workflow", "version")
        for binding in rows:
            self._bindings.setdefault(binding.workflow_id, []).append(binding)
        latest = WorkflowVersion.objects.filter(workflow__in=self._bindings).order_by(
            "workflow_id", "-number").distinct("workflow_id")
        for version in latest:
            self._latest[version.workflow_id] = version

    def candidates(self, event: Event) -> list[Effective]:
        """Workflows one of whose triggers takes this type of event, first asked first."""
        key = (event.instance_id, event.provider, event.event_type)
        if key not in self._by_type:
            self._by_type[key] = [
                effective for effective in self._on(event.instance_id, event.provider)
                if any(trigger.matches_type(event.event_type)
                       for trigger in effective.definition.triggers)]
        return self._by_type[key]

    def named(self, slug: str, instance_id: int, provider: str) -> Effective | None:
        """A workflow as it is switched on for an instance, None when it is not."""
        return next((effective for effective in self._on(instance_id, provider)
                     if effective.slug == slug), None)

    def _on(self, instance_id: int, provider: str) -> list[Effective]:
        key = (instance_id, provider)
        if key not in self._by_instance:
            found = [self._effective(bindings, instance_id, provider)
                     for bindings in self._bindings.values()]
            self._by_instance[key] = sorted(
                (item for item in found if item),
                key=lambda item: (item.priority, SCOPE_RANK[item.scope], item.slug))
        return self._by_instance[key]

    def _effective(self, bindings: list[Binding], instance_id: int,
                   provider: str) -> Effective | None:
        layers = sorted((binding for binding in bindings if _applies(binding, instance_id,
                                                                     provider)),
                        key=lambda binding: SCOPE_RANK[binding.scope])
        if not layers or not layers[0].enabled:
            return None
        version = next((layer.version for layer in layers if layer.version_id), None) or (
            self._latest.get(layers[0].workflow_id))
        if version is None:
            return None
        try:
            definition = compiled(version.pk, version.text)
        except InvalidWorkflow:
            logger.exception("A published version does not compile any more.",
                             extra={"workflow": version.workflow_id, "version": version.number})
            return None
        priorities = [layer.priority for layer in layers if layer.priority is not None]
        inputs: dict[str, Any] = {name: item.default for name, item in definition.inputs.items()}
        for layer in reversed(layers):
            inputs.update(layer.inputs)
        return Effective(
            workflow_id=layers[0].workflow_id, slug=layers[0].workflow.slug,
            version_id=version.pk, version_number=version.number, definition=definition,
            binding_id=layers[0].pk, scope=layers[0].scope, inputs=inputs,
            priority=priorities[0] if priorities else definition.priority)


def _applies(binding: Binding, instance_id: int, provider: str) -> bool:
    return (binding.scope == "global"
            or (binding.scope == "provider" and binding.provider == provider)
            or (binding.scope == "instance" and binding.instance_id == instance_id))


@lru_cache(maxsize=2048)
def compiled(version_id: int, text: str) -> Definition:
    """The checked form of a published version, once per process."""
    return document.parse(text)


_table: Table | None = None


def table() -> Table:
    """The current table; read again when something was saved since."""
    global _table
    with connection.cursor() as cursor:
        cursor.execute(_STAMP)
        stamp = cursor.fetchone()
    if _table is None or _table.stamp != stamp:
        _table = Table(stamp)
    return _table


def forget() -> None:
    """Drop the table; the next look reads it again."""
    global _table
    _table = None


def match(event: Event, on: Table) -> Decision:
    """Ask every candidate; the first match of a claim suppresses the others of that claim."""
    decision = Decision(reason=why_not_routed(event))
    if decision.reason:
        decision.loops = event.source not in PAST_SOURCES
        return decision
    values = scope.of_event(event)
    claimed: dict[str, str] = {}
    for effective in on.candidates(event):
        verdict = {"workflow": effective.slug, "version": effective.version_number,
                   "binding": effective.binding_id}
        clause = clause_that_fails(effective.definition, event, values, inputs=effective.inputs)
        claim = effective.definition.claim
        if clause is not None:
            verdict.update(clause)
        elif claim and claim in claimed:
            verdict.update(result="suppressed", clause=f"suppressed by {claimed[claim]}")
        else:
            verdict.update(result="matched", clause="")
            decision.matches.append(effective)
            if claim:
                claimed[claim] = effective.slug
        decision.considered.append(verdict)
    if not decision.considered:
        decision.reason = f"no enabled workflow listens for {event.event_type}"
    return decision


def why_not_routed(event: Event) -> str:
    """Why no workflow at all is asked about an event, "" when all are."""
    if event.source in PAST_SOURCES:
        return f"{event.source} events wake no workflow"
    if event.hop >= HOP_LIMIT:
        return f"the chain of automatic messages reached {HOP_LIMIT}"
    return ""


def clause_that_fails(definition: Definition, event: Event, values: scope.Lazy, *,
                      inputs: Mapping[str, Any]) -> dict[str, str] | None:
    """None when one trigger takes the event, else what the last one said no with."""
    said: dict[str, str] | None = None
    values["inputs"] = inputs
    for trigger in definition.triggers:
        if not trigger.matches_type(event.event_type):
            continue
        said = _no(trigger, event, values)
        if said is None:
            return None
    return said


def _no(trigger: Trigger, event: Event, values: scope.Lazy) -> dict[str, str] | None:
    if trigger.provider and event.provider not in trigger.provider:
        return {"result": "condition", "clause": f"provider is {event.provider}"}
    if trigger.instance and event.instance.slug not in trigger.instance:
        return {"result": "condition", "clause": f"instance is {event.instance.slug}"}
    if trigger.where is None:
        return None
    try:
        if trigger.where.evaluate(values):
            return None
        return {"result": "condition", "clause": failing_clause(trigger.where, values)}
    except ExpressionError as exc:
        return {"result": "error", "clause": exc.message}


def failing_clause(where: Expression, values: Mapping[str, Any]) -> str:
    """The first part of an `and` chain that is not true; the whole text when there is no chain."""
    for clause in _clauses(where.source):
        try:
            if not clause.evaluate(values):
                return clause.source
        except ExpressionError:
            return clause.source
    return where.source


@lru_cache(maxsize=4096)
def _clauses(source: str) -> tuple[Expression, ...]:
    text = source.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return ()
    if not (isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)):
        return ()
    parts = [ast.get_source_segment(text, value) or text for value in tree.values]
    try:
        return tuple(compile_expression(part) for part in parts)
    except InvalidWorkflow:
        return ()
