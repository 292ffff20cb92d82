"""Trying a version on one instance while the others keep theirs, and letting all of them have it.

A binding without a version follows the newest, so a canary of the newest first pins those to the
version they ran before; the audit log remembers which, and promoting lets them follow again.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from django.db import transaction

from connections.models import Instance
from omni import audit
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.engine.route import matching
from registry.models import Binding, Workflow, WorkflowVersion
from registry.trials import workflow_tests
from registry.versions import publishing
from registry.versions.bindings import bind, pin, place_of, unbind

STARTED, PROMOTED = "workflow.canary", "workflow.promoted"


@dataclass(frozen=True, slots=True)
class Repin:
    """One binding that runs another version now. before, after: null follows the newest."""

    scope: str
    instance: str
    provider: str
    change: Literal["made", "pinned", "ended"]
    before: int | None
    after: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def start(workflow: Workflow, *, instance: Instance, actor: str, number: int | None = None,
          draft: bool = False, user: Any = None, tests: publishing.Tests = workflow_tests.problems
          ) -> tuple[WorkflowVersion, list[Repin]]:
    """Run a version on one instance only: the newest, version `number`, or the draft.

    draft: publish it in the same transaction, so that no other instance ever runs it. tests: who
    runs its `tests`, before that.
    Raises InvalidInput when there is no such version, when the workflow is switched off there, or
    when there is no older version the others could run; InvalidWorkflow for a draft with errors.
    """
    text, revision = "", 0
    if draft:
        _need_on(workflow, list(workflow.bindings.all()), instance)
        text, revision = Workflow.objects.values_list("draft", "revision").get(pk=workflow.pk)
        publishing.need_sound(text, tests=tests)
    with transaction.atomic():
        bindings = _locked(workflow)
        _need_on(workflow, bindings, instance)
        if draft:
            publishing.publish_sound(workflow, text, actor=actor, user=user,
                                     base_revision=revision, note=f"canary on {instance.slug}")
        newest = workflow.latest()
        tried = publishing.version_of(workflow, number) if number is not None else newest
        if tried is None:
            raise InvalidInput(f"workflow '{workflow.slug}' has no published version")
        own = next((row for row in bindings if row.instance_id == instance.pk), None)
        others = [row for row in bindings if row is not own]
        changes = _hold_back(_followers(others), tried) if tried == newest else []
        changed = [_repin(row, version, actor) for row, version in changes]
        changed.append(_put(workflow, own, instance, tried, actor))
        audit.note(actor, STARTED, workflow.slug, instance=instance.slug, version=tried.number,
                   made=own is None, followed=[row.pk for row, _ in changes])
    return tried, changed


def _need_on(workflow: Workflow, bindings: list[Binding], instance: Instance) -> None:
    layers = matching.layers_of(bindings, instance.pk, instance.provider)
    if layers and not layers[0].enabled:
        raise InvalidInput(f"workflow '{workflow.slug}' is switched off on '{instance.slug}' "
                           f"by its {layers[0].scope} binding; switch it on first")


def promote(workflow: Workflow, *, actor: str,
            number: int | None = None) -> tuple[WorkflowVersion, list[Repin]]:
    """Let every binding run the version that is tried (or `number`), and end the canaries.

    What followed the newest before a canary follows it again when this version is the newest; other
    pins move to it. Raises InvalidInput, with code `no_canary` when nothing is tried and no number
    is given.
    """
    with transaction.atomic():
        bindings = _locked(workflow)
        trials = _trials(workflow)
        live = [facts for facts in trials if _is_live(facts, bindings)]
        if number is None and not live:
            raise InvalidInput(f"workflow '{workflow.slug}' has no canary; give the version all "
                               "are to run", code="no_canary")
        goal = publishing.version_of(workflow, number if number is not None else live[0]["version"])
        is_newest = goal == workflow.latest()
        canaries = [row for row in bindings if row.instance is not None
                    and row.instance.slug in {facts["instance"] for facts in live}]
        others = [row for row in bindings if row not in canaries]
        followed = {pk for facts in trials for pk in facts["followed"]}
        roots = {row.pk for row in _followers(others)}
        changed = []
        for row in others:
            follows = is_newest and (row.version is None or row.pk in followed)
            if row.version is None and row.pk not in roots:
                continue
            changed.append(_repin(row, None if follows else goal, actor))
        made = {facts["instance"] for facts in live if facts["made"]}
        changed += [_end(row, bindings, goal, is_newest=is_newest, actor=actor,
                         is_made=row.instance.slug in made) for row in canaries]
        changed = [change for change in changed
                   if change.before != change.after or change.change == "ended"]
        audit.note(actor, PROMOTED, workflow.slug, version=goal.number,
                   bindings=[change.as_dict() for change in changed])
    return goal, changed


def on_trial(workflow: Workflow) -> dict[str, int]:
    """Instances a canary runs on now -> its version."""
    bindings = list(workflow.bindings.select_related("instance", "version"))
    return {facts["instance"]: facts["version"] for facts in _trials(workflow)
            if _is_live(facts, bindings)}


def _locked(workflow: Workflow) -> list[Binding]:
    Workflow.objects.select_for_update().get(pk=workflow.pk)
    return list(Binding.objects.select_for_update(of=("self",)).filter(workflow=workflow)
                .select_related("workflow", "instance", "version").order_by("pk"))


def _trials(workflow: Workflow) -> list[dict[str, Any]]:
    """What was noted of the canaries since the last promotion, newest first."""
    found = []
    for entry in AuditEntry.objects.filter(target=workflow.slug,
                                           action__in=(STARTED, PROMOTED)).order_by("-id"):
        if entry.action == PROMOTED:
            break
        found.append(entry.facts)
    return found


def _is_live(facts: dict[str, Any], bindings: Iterable[Binding]) -> bool:
    """Whether the instance of a canary is still pinned to its version."""
    return any(row.instance is not None and row.instance.slug == facts["instance"]
               and row.version is not None and row.version.number == facts["version"]
               for row in bindings)


def _followers(bindings: list[Binding]) -> list[Binding]:
    """The widest bindings that follow the newest version; narrower ones follow them."""
    wide = [row for row in bindings if row.scope == "global"]
    if wide:
        return [row for row in wide if row.version_id is None]
    providers = {row.provider for row in bindings if row.scope == "provider"}
    return [row for row in bindings if row.version_id is None and (
        row.instance is None or row.instance.provider not in providers)]


def _hold_back(followers: list[Binding],
               newest: WorkflowVersion) -> list[tuple[Binding, WorkflowVersion]]:
    if not followers:
        return []
    before = (newest.workflow.versions.filter(number__lt=newest.number)
              .order_by("-number").first())
    if before is None:
        raise InvalidInput(f"version {newest.number} of '{newest.workflow.slug}' is the only one: "
                           "there is no older one the other bindings could run")
    return [(row, before) for row in followers]


def _put(workflow: Workflow, own: Binding | None, instance: Instance, version: WorkflowVersion,
         actor: str) -> Repin:
    kept = {} if own is None else {"enabled": own.enabled, "inputs": own.inputs,
                                   "priority": own.priority}
    before = own.version.number if own is not None and own.version else None
    bind(workflow, scope="instance", instance=instance, version=version, actor=actor, **kept)
    return Repin("instance", instance.slug, "", "made" if own is None else "pinned", before,
                 version.number)


def _repin(row: Binding, version: WorkflowVersion | None, actor: str) -> Repin:
    before = row.version
    if before != version:
        pin(row, version, actor=actor)
    return Repin(**place_of(row), change="pinned", before=before and before.number,
                 after=version and version.number)


def _end(row: Binding, bindings: list[Binding], goal: WorkflowVersion, *, is_newest: bool,
         is_made: bool, actor: str) -> Repin:
    """Give the instance of a canary back to the wider bindings, where they run `goal` now."""
    wider = [layer for layer in matching.layers_of(bindings, row.instance_id,
                                                   row.instance.provider) if layer is not row]
    pinned = matching.pinned(wider)
    if not (pinned == goal or (pinned is None and is_newest)):
        return _repin(row, goal, actor)
    if not (is_made and wider and wider[0].enabled and not row.inputs and row.priority is None):
        return _repin(row, None, actor)
    before = row.version
    unbind(row, actor=actor)
    return Repin(**place_of(row), change="ended", before=before and before.number, after=None)
