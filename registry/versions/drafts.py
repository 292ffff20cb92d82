"""Drafts of workflows, what is wrong or doubtful in them, and what trials take for their steps.

Every change raises a revision (running workers notice within a second) and leaves an audit entry.
"""

from typing import Any

from django.db import transaction

from omni import audit
from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile
from registry.engine.run import secrecy, steps
from registry.expressions import names
from registry.language import document
from registry.models import Workflow
from registry.versions import overlap


class Stale(InvalidInput):
    """Somebody else saved in between. stored: what is there now. yours: what was to be stored.

    Both are texts, or the plain data of a binding; None when there is none.
    """

    code = "stale"

    def __init__(self, message: str, *, stored: Any, yours: Any) -> None:
        super().__init__(message)
        self.stored, self.yours = stored, yours


def problems(text: str) -> list[profile.Problem]:
    """Everything wrong or doubtful in a document, by line; errors of publishing included."""
    return document.problems(text, executable=steps.kinds(), gates=steps.GATES)


def warnings(text: str) -> list[profile.Problem]:
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
        need_revision(workflow, base_revision, text)
        if workflow.draft != text or workflow.archived_at is not None:
            workflow.name, workflow.description, workflow.draft = name, description, text
            workflow.archived_at = None
            workflow.revision += 1
            workflow.save()
            audit.note(actor, "workflow.saved", slug, revision=workflow.revision)
    return workflow


def need_savable(text: str, *, base_revision: int | None = None) -> None:
    """Raises what `save_draft` would raise, and stores nothing."""
    slug, _, _ = _heading(text)
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is not None:
        need_revision(workflow, base_revision, text)


def need_revision(workflow: Workflow, base_revision: int | None,
                  text: str | None = None) -> None:
    """Raises Stale when somebody saved after the revision the caller started from; None: any."""
    if base_revision is not None and workflow.revision != base_revision:
        raise Stale(f"workflow '{workflow.slug}' was saved by somebody else: it is at revision "
                    f"{workflow.revision}, you edited {base_revision}; load it again",
                    stored=workflow.draft, yours=text)


def _heading(text: str) -> tuple[str, str, str]:
    data = profile.load(text).data
    slug = data.get("id") if isinstance(data, dict) else None
    if not isinstance(slug, str) or not document.is_slug(slug):
        raise InvalidWorkflow([profile.Problem(
            1, 1, "missing", "a workflow needs an 'id': a lower-case word like default-reply")])
    return (slug, str(data.get("name") or "")[:120], str(data.get("description") or ""))


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
