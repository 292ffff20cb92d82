"""Which workflows an event wakes, and for each of the others the clause that said no.

The table of what is switched on is kept in memory while what runs is as it was
(`omni.config.revision`): bindings, modes and published versions, not drafts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from events.models import Event
from omni.config import revision
from omni.config.remembered import Remembered
from omni.recent import Recent
from registry.engine.route import conditions, definitions, named
from registry.engine.route.definitions import Definitions, compiled
from registry.engine.run import scope
from registry.expressions.budget import MOST_OF_EVENT, Budget
from registry.language.definition import Definition
from registry.models import Binding, WorkflowVersion

__all__ = ["Decision", "Effective", "Table", "compiled", "forget", "layers_of", "listens", "match",
           "pinned", "table", "why_not_routed"]
SCOPE_RANK = {"instance": 0, "provider": 1, "global": 2}
HOP_LIMIT = 5
TYPES_MOST = 10_000  # types of event remembered; `custom.*` has no end
PAST_SOURCES = ("history", "import")
_UNREAD = ("workflow__draft", "workflow__description", "workflow__pins", "version__text",
           "version__compiled")


@dataclass(frozen=True, slots=True)
class Effective:
    """A workflow as it is switched on for one instance; the narrowest binding decides key by key.

    binding_id: the narrowest binding. scope: its scope. since: when it was switched on like this,
    as far as the binding and the version tell.
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
    since: datetime | None = None
    mode: str = "on"


@dataclass(slots=True)
class Decision:
    """What matching came to. considered: see RoutingDecision. loops: the hop limit was reached."""

    matches: list[Effective] = field(default_factory=list)
    considered: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    loops: bool = False


class Table:
    """Everything that is switched on, as of one moment.

    trial: a version to ask instead of the one its workflow's bindings name. A workflow that no
    binding switches on is then asked everywhere, with its own defaults.
    rivals: claims whose holders are asked beside the trial; others cannot change what it comes to
    and are left out.
    before: definitions of an earlier table, which are taken over.
    """

    def __init__(self, stamp: tuple = (), *, trial: WorkflowVersion | None = None,
                 rivals: frozenset[str | None] = frozenset(),
                 before: Definitions | None = None) -> None:
        self._trial, self._rivals = trial, rivals
        self._bindings: dict[int, list[Binding]] = {}
        self._latest: dict[int, WorkflowVersion] = {}
        self._by_instance: dict[tuple[int, str], list[Effective]] = {}
        self._by_type: Recent[tuple[int, str, str], list[Effective]] = Recent(TYPES_MOST)
        self._with_schedule: list[list[Binding]] | None = None
        rows = Binding.objects.filter(workflow__archived_at__isnull=True).select_related(
            "workflow", "version").defer(*_UNREAD)
        for binding in rows:
            self._bindings.setdefault(binding.workflow_id, []).append(binding)
        latest = WorkflowVersion.objects.filter(workflow__in=self._bindings).order_by(
            "workflow_id", "-number").distinct("workflow_id").defer("text", "compiled")
        for version in latest:
            self._latest[version.workflow_id] = version
        pinned_ids = {binding.version_id for bindings in self._bindings.values()
                      for binding in bindings if binding.version_id}
        self.definitions = Definitions(
            {version.pk for version in self._latest.values()} | pinned_ids, before=before)
        if trial is not None and not any(
                binding.enabled for binding in self._bindings.get(trial.workflow_id, ())):
            self._bindings[trial.workflow_id] = [Binding(workflow=trial.workflow, scope="global")]

    def candidates(self, event: Event) -> list[Effective]:
        """Workflows one of whose triggers takes this type of event, first asked first; before
        them the one it names.
        """
        key = (event.instance_id, event.provider, event.event_type)
        listening = self._by_type.get(key)
        if listening is None:
            listening = [
                effective for effective in self.switched_on(event.instance_id, event.provider)
                if listens(effective.definition, event.event_type)]
            self._by_type.keep(key, listening)
        name = named.workflow_of(event)
        if not name:
            return listening
        meant = self.find(name, event.instance_id, event.provider)
        return [*([meant] if meant else []),
                *(other for other in listening if other.slug != name)]

    def find(self, slug: str, instance_id: int, provider: str) -> Effective | None:
        """A workflow as it is switched on for an instance, None when it is not."""
        return next((effective for effective in self.switched_on(instance_id, provider)
                     if effective.slug == slug), None)

    def switched_on(self, instance_id: int, provider: str) -> list[Effective]:
        """Every workflow that is on for an instance, first asked first."""
        key = (instance_id, provider)
        if key not in self._by_instance:
            found = [self._effective(bindings, instance_id, provider)
                     for bindings in self._bindings.values()]
            self._by_instance[key] = sorted(
                (item for item in found if item and self._is_asked(item)),
                key=lambda item: (item.priority, SCOPE_RANK[item.scope], item.slug))
        return self._by_instance[key]

    def scheduled(self, instance_id: int, provider: str) -> list[Effective]:
        """Every workflow with a schedule that is on for an instance.

        Asked for each instance after each save, so the others are left out beforehand.
        """
        if self._with_schedule is None:
            self._with_schedule = [bindings for bindings in self._bindings.values()
                                   if self._has_schedule(bindings)]
        found = [self._effective(bindings, instance_id, provider)
                 for bindings in self._with_schedule]
        return [item for item in found if item]

    def _has_schedule(self, bindings: list[Binding]) -> bool:
        versions = [self._latest.get(bindings[0].workflow_id),
                    *(binding.version for binding in bindings)]
        found = [self.definitions.of(version) for version in versions if version is not None]
        return any(trigger.schedule for definition in found if definition
                   for trigger in definition.triggers)

    def _is_asked(self, effective: Effective) -> bool:
        if self._trial is None or effective.workflow_id == self._trial.workflow_id:
            return True
        return effective.definition.claim in self._rivals

    def _effective(self, bindings: list[Binding], instance_id: int,
                   provider: str) -> Effective | None:
        layers = layers_of(bindings, instance_id, provider)
        if not layers or not layers[0].enabled:
            return None
        version = pinned(layers) or self._latest.get(layers[0].workflow_id)
        if self._trial is not None and self._trial.workflow_id == layers[0].workflow_id:
            version = self._trial
        definition = self.definitions.of(version) if version is not None else None
        if version is None or definition is None:
            return None
        priorities = [layer.priority for layer in layers if layer.priority is not None]
        inputs: dict[str, Any] = {name: item.default for name, item in definition.inputs.items()}
        for layer in reversed(layers):
            inputs.update(layer.inputs)
        return Effective(
            workflow_id=layers[0].workflow_id, slug=layers[0].workflow.slug,
            version_id=version.pk, version_number=version.number, definition=definition,
            binding_id=layers[0].pk, scope=layers[0].scope, inputs=inputs,
            priority=priorities[0] if priorities else definition.priority,
            since=max((moment for moment in (version.published_at, layers[0].updated_at)
                       if moment is not None), default=None),
            mode=layers[0].workflow.mode)


def layers_of(bindings: Iterable[Binding], instance_id: int, provider: str) -> list[Binding]:
    """The bindings of one workflow that concern an instance, the narrowest first."""
    return sorted((binding for binding in bindings if _applies(binding, instance_id, provider)),
                  key=lambda binding: SCOPE_RANK[binding.scope])


def pinned(layers: Iterable[Binding]) -> WorkflowVersion | None:
    """The version the narrowest pin names; None follows the newest."""
    return next((layer.version for layer in layers if layer.version_id), None)


def listens(definition: Definition, event_type: str) -> bool:
    """Whether one of its triggers takes this type of event."""
    return any(trigger.matches_type(event_type) for trigger in definition.triggers)


def _applies(binding: Binding, instance_id: int, provider: str) -> bool:
    return (binding.scope == "global"
            or (binding.scope == "provider" and binding.provider == provider)
            or (binding.scope == "instance" and binding.instance_id == instance_id))


_tables: Remembered[str, Table] = Remembered("workflows", most=1)


def table(*, now: bool = False) -> Table:
    """The current table. now: ask the database first whether it still is, for who must see what
    was committed elsewhere a moment ago.
    """
    if now:
        revision.read()
    return _tables.get("all", _read)


def _read() -> Table:
    found = Table(before=definitions.in_force)
    definitions.in_force = found.definitions
    return found


def forget() -> None:
    """Drop the table; the next look reads it again."""
    _tables.forget()


def match(event: Event, on: Table, *, values: scope.Lazy | None = None) -> Decision:
    """Ask every candidate; the first match of a claim suppresses the others of that claim.

    values: what conditions read, when the caller has it already (`scope.of_event`).
    """
    decision = Decision(reason=why_not_routed(event))
    if decision.reason:
        decision.loops = event.source not in PAST_SOURCES
        return decision
    values = scope.of_event(event) if values is None else values
    with Budget(MOST_OF_EVENT, "all conditions asked about one event together"):
        return _ask(event, on, values, decision)


def _ask(event: Event, on: Table, values: scope.Lazy, decision: Decision) -> Decision:
    claimed: dict[str, str] = {}
    for effective in on.candidates(event):
        verdict = {"workflow": effective.slug, "version": effective.version_number,
                   "binding": effective.binding_id}
        clause = conditions.clause_that_fails(effective.definition, event, values,
                                              inputs=effective.inputs)
        claim = effective.definition.claim
        if clause is not None:
            verdict.update(clause)
        elif effective.mode == "draining":
            verdict.update(result="draining", clause="the workflow is draining: no new runs")
        elif claim and claim in claimed:
            verdict.update(result="suppressed", clause=f"suppressed by {claimed[claim]}")
        else:
            verdict.update(result="matched", clause="")
            given = named.given_inputs(event, effective.definition)
            decision.matches.append(
                replace(effective, inputs={**effective.inputs, **given}) if given else effective)
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
