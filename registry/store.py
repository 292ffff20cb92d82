"""The only writer of workflows, versions and bindings; the admin, the API and files all come here.

Every change raises a revision (running workers notice within a second) and leaves an audit entry.
"""

import difflib
import hashlib
from typing import Any

from django.db import transaction
from django.db.models import F

from connections.models import Instance
from omni import audit, yamlio
from omni.errors import InvalidInput, InvalidWorkflow
from registry import document, names, steps, workflow_tests
from registry.models import Binding, Workflow, WorkflowVersion


def problems(text: str) -> list[yamlio.Problem]:
    """Everything wrong or doubtful in a document, by line; errors of publishing included."""
    return document.problems(text, executable=steps.kinds(), gates=steps.GATES)


def save_draft(text: str, *, actor: str, base_revision: int | None = None) -> Workflow:
    """Store a document as the draft of the workflow its `id` names; problems in it are allowed.

    Raises InvalidWorkflow when the text has no readable id, and InvalidInput with code `stale` when
    `base_revision` is not the stored one: somebody else saved in between.
    """
    slug, name, description = _heading(text)
    with transaction.atomic():
        workflow = Workflow.objects.select_for_update().filter(slug=slug).first()
        if workflow is None:
            workflow = Workflow.objects.create(slug=slug, name=name, description=description,
                                               draft=text)
            audit.note(actor, "workflow.created", slug)
            return workflow
        if base_revision is not None and workflow.revision != base_revision:
            raise InvalidInput(
                f"workflow '{slug}' was saved by somebody else: it is at revision "
                f"{workflow.revision}, you edited {base_revision}; load it again", code="stale")
        if workflow.draft != text:
            workflow.name, workflow.description, workflow.draft = name, description, text
            workflow.archived_at = None
            workflow.revision += 1
            workflow.save()
            audit.note(actor, "workflow.saved", slug, revision=workflow.revision)
    return workflow


def _heading(text: str) -> tuple[str, str, str]:
    data = yamlio.load(text).data
    slug = data.get("id") if isinstance(data, dict) else None
    if not isinstance(slug, str) or not document.is_slug(slug):
        raise InvalidWorkflow([yamlio.Problem(
            1, 1, "missing", "a workflow needs an 'id': a lower-case word like default-reply")])
    return (slug, str(data.get("name") or "")[:120], str(data.get("description") or ""))


def publish(workflow: Workflow, *, actor: str, user: Any = None, note: str = "",
            skip_tests: bool = False) -> WorkflowVersion:
    """Make the draft an immutable version, the one that bindings of `latest` run from now on.

    The same text as the newest version makes no new one. Raises InvalidWorkflow with every error,
    or, unless they are skipped, with every failure of its `tests`.
    """
    errors = [item for item in problems(workflow.draft) if item.severity == "error"]
    if not errors and not skip_tests:
        errors = workflow_tests.problems(workflow.draft)
    if errors:
        raise InvalidWorkflow(errors)
    definition = document.parse(workflow.draft)
    digest = hashlib.sha256(workflow.draft.encode()).hexdigest()
    with transaction.atomic():
        Workflow.objects.select_for_update().get(pk=workflow.pk)
        latest = workflow.latest()
        if latest is not None and latest.sha256 == digest:
            return latest
        version = WorkflowVersion.objects.create(
            workflow=workflow, number=(latest.number + 1 if latest else 1), text=workflow.draft,
            sha256=digest, compiled=document.plain(definition), author=user, note=note)
        Workflow.objects.filter(pk=workflow.pk).update(revision=F("revision") + 1)
        workflow.refresh_from_db()
        audit.note(actor, "workflow.published", workflow.slug, version=version.number,
                   sha256=digest)
    return version


def roll_back(workflow: Workflow, number: int, *, actor: str, user: Any = None) -> WorkflowVersion:
    """Publish an old text again, as a new version. Its tests passed then, and are not run again."""
    old = workflow.versions.filter(number=number).first()
    if old is None:
        raise InvalidInput(f"workflow '{workflow.slug}' has no version {number}")
    workflow = save_draft(old.text, actor=actor)
    return publish(workflow, actor=actor, user=user, note=f"rolled back to version {number}",
                   skip_tests=True)


def import_text(text: str, *, actor: str, publish: bool = True, user: Any = None,
                skip_tests: bool = False) -> list[Workflow]:
    """Store one document, or several separated by `---`; all are checked before one is stored.

    publish: also publish each. Raises InvalidWorkflow as `publish` does; nothing is stored then.
    """
    documents = [part for part in split_documents(text) if part.strip()]
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


def split_documents(text: str) -> list[str]:
    """The documents of a YAML stream, each with its text as written."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if line.rstrip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    return ["".join(part) for part in parts if "".join(part).strip()]


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
    version = workflow.versions.filter(number=number).first()
    if version is None:
        raise InvalidInput(f"workflow '{workflow.slug}' has no version {number}")
    return version.text


def diff(workflow: Workflow, before: int, after: int | None = None) -> str:
    """Unified diff of two versions; without `after`, of a version and the draft."""
    new = export_text(workflow, number=after) if after is not None else workflow.draft
    return "".join(difflib.unified_diff(
        export_text(workflow, number=before).splitlines(keepends=True),
        new.splitlines(keepends=True), fromfile=f"{workflow.slug} v{before}",
        tofile=f"{workflow.slug} {'draft' if after is None else f'v{after}'}"))


def bind(workflow: Workflow, *, scope: str, actor: str, instance: Instance | None = None,
         provider: str = "", enabled: bool = True, inputs: dict[str, Any] | None = None,
         priority: int | None = None, version: WorkflowVersion | None = None) -> Binding:
    """Switch a workflow on (or off) in one scope; the same scope again changes that binding."""
    if version is not None and version.workflow_id != workflow.pk:
        raise InvalidInput(f"version {version.number} is of another workflow")
    _check_inputs(workflow, inputs or {})
    with transaction.atomic():
        binding = Binding.objects.select_for_update().filter(
            workflow=workflow, scope=scope, instance=instance, provider=provider).first()
        binding = binding or Binding(workflow=workflow, scope=scope, instance=instance,
                                     provider=provider)
        binding.enabled, binding.inputs = enabled, inputs or {}
        binding.priority, binding.version = priority, version
        binding.full_clean(exclude=["revision"])
        binding.save()
        audit.note(actor, "binding.saved", workflow.slug, scope=scope, enabled=enabled,
                   instance=instance.slug if instance else "", provider=provider)
    return binding


def _check_inputs(workflow: Workflow, inputs: dict[str, Any]) -> None:
    latest = workflow.latest()
    if latest is None or not inputs:
        return
    known = document.parse(latest.text).inputs
    unknown = {f"inputs.{name}": f"workflow '{workflow.slug}' has no such input; it has: "
               + (", ".join(known) or "none") for name in inputs if name not in known}
    if unknown:
        raise InvalidInput("; ".join(unknown.values()), details=unknown)
