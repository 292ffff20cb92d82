"""How a workflow stands on one instance: every value, and which binding or text it comes from.

The layers are those of `registry.engine.route.matching`; a test compares the two.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from connections.models import Instance
from omni.errors import InvalidWorkflow
from registry.engine.route import matching
from registry.language import grammar
from registry.language.definition import Definition
from registry.models import Binding, Workflow, WorkflowVersion

DOCUMENT, NEWEST, NOWHERE = "document", "newest", "nowhere"


@dataclass(frozen=True, slots=True)
class Value:
    """origin: instance, provider or global (that binding), document (its own default), newest (no
    pin, so the newest version), nowhere (no binding).
    """

    value: Any
    origin: str


@dataclass(slots=True)
class View:
    """off_because: why it does not run there, "" when it does. binding: the narrowest one's id.

    Without a version to read, priority, claim, inputs and gates are what the bindings say alone.
    """

    workflow: str
    instance: str
    provider: str
    enabled: Value
    version: Value
    priority: Value
    claim: Value
    binding: int | None = None
    off_because: str = ""
    inputs: dict[str, Value] = field(default_factory=dict)
    gates: dict[str, Value] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        return not self.off_because


def views(workflow: Workflow, instances: Iterable[Instance]) -> Iterator[View]:
    """How a workflow stands on each of these instances; three statements for all of them."""
    bindings = list(workflow.bindings.select_related("version"))
    newest = workflow.latest()
    for instance in instances:
        yield _view(workflow, instance, matching.layers_of(bindings, instance.pk,
                                                           instance.provider), newest)


def _view(workflow: Workflow, instance: Instance, layers: list[Binding],
          newest: WorkflowVersion | None) -> View:
    version, pinned_by = _version(layers, newest)
    definition = _definition(version)
    enabled = (Value(layers[0].enabled, layers[0].scope) if layers else Value(False, NOWHERE))
    view = View(
        workflow=workflow.slug, instance=instance.slug, provider=instance.provider,
        binding=layers[0].pk if layers else None, enabled=enabled,
        version=Value(version and version.number, pinned_by),
        priority=_priority(layers, definition),
        claim=Value(definition and definition.claim, DOCUMENT),
        inputs=_inputs(layers, definition))
    if definition is not None:
        view.gates = {name: Value(definition.data[name], DOCUMENT) for name in grammar.GATES
                      if name in definition.data and name != "claim"}
    view.off_because = _off_because(workflow, instance, enabled, version, definition)
    return view


def _off_because(workflow: Workflow, instance: Instance, enabled: Value,
                 version: WorkflowVersion | None, definition: Definition | None) -> str:
    if workflow.archived_at is not None:
        return "the workflow is archived"
    if enabled.origin == NOWHERE:
        return "no binding of the instance, its provider or global"
    if not enabled.value:
        return f"switched off by the {enabled.origin} binding"
    if version is None:
        return "nothing is published"
    if definition is None:
        return f"version {version.number} is not valid for this installation any more"
    if not instance.is_on:
        return f"the instance is {'archived' if instance.archived_at else 'disabled'}"
    return ""


def _version(layers: list[Binding],
             newest: WorkflowVersion | None) -> tuple[WorkflowVersion | None, str]:
    for layer in layers:
        if layer.version is not None:
            return layer.version, layer.scope
    return newest, NEWEST


def _priority(layers: list[Binding], definition: Definition | None) -> Value:
    for layer in layers:
        if layer.priority is not None:
            return Value(layer.priority, layer.scope)
    return Value(definition and definition.priority, DOCUMENT)


def _inputs(layers: list[Binding], definition: Definition | None) -> dict[str, Value]:
    values = {name: Value(item.default, DOCUMENT)
              for name, item in (definition.inputs if definition else {}).items()}
    for layer in reversed(layers):
        values.update((name, Value(value, layer.scope)) for name, value in layer.inputs.items())
    return values


def _definition(version: WorkflowVersion | None) -> Definition | None:
    try:
        return matching.compiled(version.pk, version.text) if version is not None else None
    except InvalidWorkflow:
        return None
