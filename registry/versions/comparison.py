"""Everything two versions of a workflow differ in: the text, its parts, and what they match."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connections.access import Principal
from connections.models import Instance
from omni.errors import InvalidInput, InvalidWorkflow
from omni.yaml import profile
from registry.language import document
from registry.models import Workflow
from registry.versions import match_diff, match_job, publishing, version_diff


@dataclass(slots=True)
class Comparison:
    """before: a version's number. after: another, None is the draft.

    structure: None when a text is no mapping. matching: None when `problems` keep one of the texts
    from running.
    """

    workflow: str
    before: int
    after: int | None
    text: str
    structure: dict[str, list[version_diff.Change]] | None = None
    matching: match_diff.MatchDiff | None = None
    problems: list[profile.Problem] = field(default_factory=list)


def compare(workflow: Workflow, before: int | None = None, after: int | None = None, *,
            who: Principal, instance: Instance | None = None, days: int = match_diff.DAYS,
            most: int = match_diff.EVENTS) -> Comparison:
    """Compare a version (None: the newest) with another (None: the draft), over stored events.

    Raises InvalidInput for a version that is not there.
    """
    old = publishing.version_of(workflow, before) if before is not None else workflow.latest()
    if old is None:
        raise InvalidInput(f"workflow '{workflow.slug}' has no published version")
    new = (publishing.version_of(workflow, after) if after is not None
           else match_diff.trial(workflow, workflow.draft))
    found = Comparison(workflow.slug, old.number, after,
                       publishing.diff(workflow, old.number, after))
    texts = [_data(version.text) for version in (old, new)]
    if None not in texts:
        found.structure = version_diff.structural(*texts)
    for version in (old, new):
        found.problems += [item for item in document.problems(version.text)
                           if item.severity == "error"]
    if not found.problems:
        found.matching = match_job.compare(workflow, old, new, who=who, instance=instance,
                                           days=days, most=most)
    return found


def _data(text: str) -> Mapping | None:
    try:
        data = profile.load(text).data
    except InvalidWorkflow:
        return None
    return data if isinstance(data, Mapping) else None
