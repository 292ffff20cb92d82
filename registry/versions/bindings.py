"""Bindings: where a workflow is switched on, with which version and inputs.

Every change leaves an audit entry; workers notice it by the number of `omni.config.revision`.
"""

from typing import Any

from django.db import transaction

from connections.models import Instance
from omni import audit
from omni.errors import InvalidInput
from registry.language import document
from registry.language.inputs import check as check_values
from registry.models import Binding, Workflow, WorkflowVersion

KEEP: Any = object()  # what `bind` is given for a value that stays as it is


def pin(binding: Binding, version: WorkflowVersion | None, *, actor: str) -> None:
    """Let a binding run this version; None follows the newest."""
    _need_own(version, binding.workflow_id)
    before = binding.version
    with transaction.atomic():
        binding.version = version
        binding.save()
        audit.note(actor, "binding.pinned", binding.workflow.slug, **place_of(binding),
                   before=before and before.number, after=version and version.number)


def unbind(binding: Binding, *, actor: str) -> None:
    """End a binding; wider ones decide from now on, and without any the workflow is off there."""
    with transaction.atomic():
        audit.note(actor, "binding.removed", binding.workflow.slug, **place_of(binding))
        binding.delete()


def place_of(binding: Binding) -> dict[str, str]:
    """Where a binding holds, as records name it: scope, and instance (slug) or provider."""
    return {"scope": binding.scope, "provider": binding.provider,
            "instance": binding.instance.slug if binding.instance else ""}


def find_binding(workflow: Workflow, *, scope: str, instance: Instance | None = None,
                 provider: str = "") -> Binding | None:
    """The binding of one scope; None when there is none."""
    return workflow.bindings.filter(scope=scope, instance=instance, provider=provider).first()


def lock_binding(workflow: Workflow, *, scope: str, instance: Instance | None = None,
                 provider: str = "") -> Binding | None:
    """The binding of one scope, held until the transaction ends; None when there is none."""
    return Binding.objects.select_for_update(of=("self",)).select_related(
        "workflow", "instance", "version").filter(
        workflow=workflow, scope=scope, instance=instance, provider=provider).first()


def bind(workflow: Workflow, *, scope: str, actor: str, instance: Instance | None = None,
         provider: str = "", enabled: bool = KEEP, inputs: dict[str, Any] = KEEP,
         priority: int | None = KEEP, version: WorkflowVersion | None = KEEP) -> Binding:
    """Switch a workflow on (or off) in one scope; the same scope again changes that binding.

    What is not given stays as it was; a new binding is enabled, without inputs or priority, and
    follows the newest version.

    Raises InvalidInput for inputs the version does not take, and for required ones that neither
    this binding nor a wider one gives.
    """
    with transaction.atomic():
        place: dict[str, Any] = {"scope": scope, "instance": instance, "provider": provider}
        binding = lock_binding(workflow, **place) or Binding(workflow=workflow, **place)
        for name, value in (("enabled", enabled), ("inputs", inputs), ("priority", priority),
                            ("version", version)):
            if value is not KEEP:
                setattr(binding, name, value)
        _need_own(binding.version, workflow.pk)
        binding.full_clean(exclude=["revision"])
        _check_inputs(binding.version or workflow.latest(), binding.inputs,
                      complete=binding.enabled, others=_wider_inputs(workflow, scope, instance))
        binding.save()
        audit.note(actor, "binding.saved", workflow.slug, scope=scope, enabled=binding.enabled,
                   instance=instance.slug if instance else "", provider=provider)
    return binding


def _need_own(version: WorkflowVersion | None, workflow_id: int) -> None:
    if version is not None and version.workflow_id != workflow_id:
        raise InvalidInput(f"version {version.number} is of another workflow")


def _wider_inputs(workflow: Workflow, scope: str, instance: Instance | None) -> dict[str, Any]:
    """What the wider bindings give where a narrower one says nothing."""
    found: dict[str, Any] = {}
    if scope in ("instance", "provider"):
        wide = workflow.bindings.filter(scope="global").first()
        found.update(wide.inputs if wide else {})
    if scope == "instance" and instance is not None:
        wide = workflow.bindings.filter(scope="provider", provider=instance.provider).first()
        found.update(wide.inputs if wide else {})
    return found


def _check_inputs(version: WorkflowVersion | None, given: dict[str, Any], *, complete: bool,
                  others: dict[str, Any]) -> None:
    if version is None:
        return
    definition = document.parse(version.text, published=True)
    by_hand = all(trigger.manual for trigger in definition.triggers)  # then they come at the start
    wrong = check_values(definition.inputs, given, complete=complete and not by_hand,
                         others=others)
    if wrong:
        raise InvalidInput("; ".join(f"{path} {why}" for path, why in wrong.items()),
                           details=wrong)
