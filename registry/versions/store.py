"""The only writer of workflows, versions and bindings; the admin, the API and files all come here.

Every change raises a revision (running workers notice within a second) and leaves an audit entry.
"""

import hashlib
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from connections.models import Instance
from omni import audit
from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import reading as yamlio
from registry.engine.run import secrecy, steps
from registry.expressions import names
from registry.language import document
from registry.language.inputs import check as check_values
from registry.models import Binding, Workflow, WorkflowVersion
from registry.trials import workflow_tests
from registry.versions import overlap, version_diff

KEEP: Any = object()  # what `bind` is given for a value that stays as it is


class Stale(InvalidInput):
    """Somebody else saved in between. stored: what is there now. yours: what was to be stored.

    Both are texts, or the plain data of a binding; None when there is none.
    """

    code = "stale"

    def __init__(self, message: str, *, stored: Any, yours: Any) -> None:
        super().__init__(message)
        self.stored, self.yours = stored, yours


def problems(text: str) -> list[yamlio.Problem]:
    """Everything wrong or doubtful in a document, by line; errors of publishing included."""
    return document.problems(text, executable=steps.kinds(), gates=steps.GATES)


def warnings(text: str) -> list[yamlio.Problem]:
    """What is doubtful in a document, also beside the other workflows that are switched on."""
    found = [item for item in problems(text) if item.severity == "warning"]
    return found + overlap.warnings(text) + secrecy.warnings(text)


def save_draft(text: str, *, actor: str, base_revision: int | None = None) -> Workflow:
    """Store a document as the draft of the workflow its `id` names; problems in it are allowed.

    An archived workflow comes back, without its bindings.

    Raises InvalidWorkflow when the text has no readable id, and Stale when `base_revision` is not
    the stored one.
    """
    slug, name, description = _heading(text)
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update().filter(slug=slug).first()
        if workflow is None:
            workflow = Workflow.objects.create(slug=slug, name=name, description=description,
                                               draft=text)
            audit.note(actor, "workflow.created", slug)
            return workflow
        _need_revision(workflow, base_revision, text)
        if workflow.draft != text or workflow.archived_at is not None:
            workflow.name, workflow.description, workflow.draft = name, description, text
            workflow.archived_at = None
            workflow.revision += 1
            workflow.save()
            audit.note(actor, "workflow.saved", slug, revision=workflow.revision)
    return workflow


def _need_revision(workflow: Workflow, base_revision: int | None,
                   text: str | None = None) -> None:
    if base_revision is not None and workflow.revision != base_revision:
        raise Stale(f"workflow '{workflow.slug}' was saved by somebody else: it is at revision "
                    f"{workflow.revision}, you edited {base_revision}; load it again",
                    stored=workflow.draft, yours=text)


def _heading(text: str) -> tuple[str, str, str]:
    data = yamlio.load(text).data
    slug = data.get("id") if isinstance(data, dict) else None
    if not isinstance(slug, str) or not document.is_slug(slug):
        raise InvalidWorkflow([yamlio.Problem(
            1, 1, "missing", "a workflow needs an 'id': a lower-case word like default-reply")])
    return (slug, str(data.get("name") or "")[:120], str(data.get("description") or ""))


def publish(workflow: Workflow, *, actor: str, user: Any = None, note: str = "",
            base_revision: int | None = None, skip_tests: bool = False) -> WorkflowVersion:
    """Make the stored draft an immutable version, which bindings without a pin run from now on.

    The same text as the newest version makes no new one. Raises InvalidWorkflow with every error,
    or, unless they are skipped, with every failure of its `tests`; and Stale when `base_revision`
    is not the stored one.
    """
    with transaction.atomic():
        stored = Workflow.objects.select_for_update().get(pk=workflow.pk)
        _need_revision(stored, base_revision)
        errors = [item for item in problems(stored.draft) if item.severity == "error"]
        if not errors and not skip_tests:
            errors = workflow_tests.problems(stored.draft)
        if errors:
            raise InvalidWorkflow(errors)
        digest = hashlib.sha256(stored.draft.encode()).hexdigest()
        latest = stored.latest()
        if latest is not None and latest.sha256 == digest:
            return latest
        version = WorkflowVersion.objects.create(
            workflow=workflow, number=(latest.number + 1 if latest else 1), text=stored.draft,
            sha256=digest, compiled=document.plain(document.parse(stored.draft)), author=user,
            note=note)
        Workflow.objects.filter(pk=workflow.pk).update(revision=F("revision") + 1)
        workflow.refresh_from_db()
        audit.note(actor, "workflow.published", workflow.slug, version=version.number,
                   sha256=digest, **({"tests": "skipped", "why": note} if skip_tests else {}))
    return version


def archive(workflow: Workflow, *, actor: str) -> None:
    """Put a workflow away: its bindings end, so it wakes no more; runs and versions stay."""
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update().get(pk=workflow.pk)
        if workflow.archived_at is not None:
            return
        for binding in workflow.bindings.filter(enabled=True):
            binding.enabled = False
            binding.save()
        workflow.archived_at = timezone.now()
        workflow.revision += 1
        workflow.save()
        audit.note(actor, "workflow.archived", workflow.slug)


def publish_text(text: str, *, actor: str, user: Any = None, note: str = "",
                 base_revision: int | None = None, skip_tests: bool = False) -> WorkflowVersion:
    """Store a document as the draft and publish it, or do neither. Raises what both raise."""
    with transaction.atomic():
        workflow = save_draft(text, actor=actor, base_revision=base_revision)
        return publish(workflow, actor=actor, user=user, note=note, skip_tests=skip_tests)


def roll_back(workflow: Workflow, number: int, *, actor: str, user: Any = None, note: str = "",
              base_revision: int | None = None) -> WorkflowVersion:
    """Publish an old text again, as a new version and as the draft.

    Its tests passed then, and are not run again. Raises InvalidWorkflow, with nothing changed, when
    this installation no longer takes the text.
    """
    return publish_text(version_of(workflow, number).text, actor=actor, user=user,
                        note=note or f"rolled back to version {number}",
                        base_revision=base_revision, skip_tests=True)


def version_of(workflow: Workflow, number: int) -> WorkflowVersion:
    """A published version by its number. Raises InvalidInput when there is none."""
    version = workflow.versions.filter(number=number).first()
    if version is None:
        raise InvalidInput(f"workflow '{workflow.slug}' has no version {number}")
    return version


def import_text(text: str, *, actor: str, publish: bool = True, user: Any = None,
                skip_tests: bool = False) -> list[Workflow]:
    """Store one document, or several separated by `---`; all are checked before one is stored.

    publish: also publish each. Raises InvalidWorkflow as `publish` does; nothing is stored then.
    """
    documents = [part for part in document.split(text) if part.strip()]
    if not documents:
        raise InvalidWorkflow([yamlio.Problem(1, 1, "empty", "there is no document in this text")])
    if publish:
        errors = [item for part in documents for item in problems(part)
                  if item.severity == "error"]
        if errors:
            raise InvalidWorkflow(errors)
    with transaction.atomic():
        workflows = [save_draft(part, actor=actor) for part in documents]
        if publish:
            for workflow in workflows:
                _publish(workflow, actor=actor, user=user, note="imported",
                         skip_tests=skip_tests)
    return workflows


_publish = publish  # `import_text` has a parameter of that name


def save_pins(workflow: Workflow, pins: dict[str, Any], *, actor: str) -> Workflow:
    """Say what trials take for steps, {id or path: output}; what was said before is replaced.

    Raises InvalidInput for an output that is no mapping, and for a step the draft does not have.
    """
    wrong = {f"pins.{name}": "must be a mapping: the output of the step"
             for name, output in pins.items() if not isinstance(output, dict)}
    known = document.step_names(workflow.draft)
    if known is not None:
        for name in pins:
            if name not in known:
                near = names.nearest(name, known)
                wrong[f"pins.{name}"] = f"the draft has no step '{name}'" + (
                    f"; did you mean '{near}'?" if near else "")
    if wrong:
        raise InvalidInput("; ".join(wrong.values()), details=wrong)
    with transaction.atomic():
        Workflow.objects.filter(pk=workflow.pk).update(pins=pins)
        audit.note(actor, "workflow.pinned", workflow.slug, steps=sorted(pins))
    workflow.pins = pins
    return workflow


def export_text(workflow: Workflow, *, number: int | None = None) -> str:
    """A version's text as written; without a number the newest, or the draft when none is."""
    if number is None:
        latest = workflow.latest()
        return latest.text if latest else workflow.draft
    return version_of(workflow, number).text


def diff(workflow: Workflow, before: int, after: int | None = None) -> str:
    """Unified diff of two versions; without `after`, of a version and the draft."""
    new = workflow.draft if after is None else export_text(workflow, number=after)
    return version_diff.textual(
        export_text(workflow, number=before), new, names=(
            f"{workflow.slug} v{before}",
            f"{workflow.slug} {'draft' if after is None else f'v{after}'}"))


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
