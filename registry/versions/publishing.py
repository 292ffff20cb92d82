"""Publishing of workflows, and what is done with their texts afterwards: immutable versions.

Every change leaves an audit entry; workers notice it by the number of `omni.config.revision`.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from omni import audit
from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile
from registry.language import document
from registry.models import Workflow, WorkflowVersion
from registry.trials import workflow_tests
from registry.versions import drafts, version_diff

Tests = Callable[[str], list[profile.Problem]]  # every failure of a text's `tests`


def publish(workflow: Workflow, *, actor: str, user: Any = None, note: str = "",
            base_revision: int | None = None, skip_tests: bool = False,
            tests: Tests = workflow_tests.problems) -> WorkflowVersion:
    """Make the stored draft an immutable version, which bindings without a pin run from now on.

    The same text as the newest version makes no new one. tests: who runs its `tests`; no
    transaction is open meanwhile. Raises InvalidWorkflow with every error, or, unless they are
    skipped, with every failure of its `tests`; and Stale when `base_revision` is not the stored
    one, or somebody saved while the tests ran.
    """
    stored = Workflow.objects.get(pk=workflow.pk)
    drafts.need_revision(stored, base_revision)
    need_sound(stored.draft, tests=None if skip_tests else tests)
    return publish_sound(workflow, stored.draft, actor=actor, user=user, note=note,
                         base_revision=base_revision, tested_at=stored.revision,
                         skip_tests=skip_tests)


def need_sound(text: str, *, tests: Tests | None) -> None:
    """Raises InvalidWorkflow with every error, else with every failure of its tests."""
    errors = [item for item in drafts.problems(text) if item.severity == "error"]
    if not errors and tests is not None:
        errors = tests(text)
    if errors:
        raise InvalidWorkflow(errors)


def publish_sound(workflow: Workflow, text: str, *, actor: str, user: Any = None, note: str = "",
                  base_revision: int | None = None, tested_at: int | None = None,
                  skip_tests: bool = False) -> WorkflowVersion:
    """Publish the draft, whose text was found sound.

    Raises Stale when `base_revision`, which somebody started from, is not the stored one, or the
    draft is another by now than at the revision `tested_at`.
    """
    with transaction.atomic():
        stored = Workflow.objects.select_for_update().get(pk=workflow.pk)
        drafts.need_revision(stored, base_revision)
        if stored.draft != text:
            drafts.need_revision(stored, tested_at)
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
                 base_revision: int | None = None, skip_tests: bool = False,
                 tests: Tests = workflow_tests.problems) -> WorkflowVersion:
    """Store a document as the draft and publish it, or do neither. Raises what both raise."""
    drafts.need_savable(text, base_revision=base_revision)
    need_sound(text, tests=None if skip_tests else tests)
    with transaction.atomic():
        workflow = drafts.save_draft(text, actor=actor, base_revision=base_revision)
        return publish_sound(workflow, text, actor=actor, user=user, note=note,
                             skip_tests=skip_tests)


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
                skip_tests: bool = False,
                tests: Tests = workflow_tests.problems) -> list[Workflow]:
    """Store one document, or several separated by `---`; all are checked before one is stored.

    publish: also publish each. tests: who runs their `tests`. Raises InvalidWorkflow as `publish`
    does; nothing is stored then.
    """
    documents = [part for part in document.split(text) if part.strip()]
    if not documents:
        raise InvalidWorkflow([profile.Problem(1, 1, "empty", "there is no document in this text")])
    if publish:
        errors = [item for part in documents for item in drafts.problems(part)
                  if item.severity == "error"]
        if errors:
            raise InvalidWorkflow(errors)
        for part in () if skip_tests else documents:
            drafts.need_savable(part)
            if failed := tests(part):
                raise InvalidWorkflow(failed)
    with transaction.atomic():
        workflows = [drafts.save_draft(part, actor=actor) for part in documents]
        if publish:
            for workflow, part in zip(workflows, documents, strict=True):
                publish_sound(workflow, part, actor=actor, user=user, note="imported",
                              skip_tests=skip_tests)
    return workflows


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
