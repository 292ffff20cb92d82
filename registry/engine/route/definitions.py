"""The checked form of published versions: compiled once per process, kept while it can run.

A version never changes, so what is known of one holds for ever.
"""

import logging
from collections.abc import Iterable

from omni.errors import InvalidWorkflow
from omni.recent import Recent
from registry.language import document
from registry.language.definition import Definition
from registry.models import WorkflowVersion

logger = logging.getLogger("omni.registry")
_others: Recent[int | str, Definition] = Recent(2048)  # versions that only older runs still have


class Definitions:
    """Those of some versions, by id. Each is compiled when it is asked for first; the texts of all
    that are not are then read together.

    before: definitions of an earlier moment, taken over where they are still needed.
    """

    def __init__(self, version_ids: Iterable[int], *, before: "Definitions | None" = None) -> None:
        wanted = set(version_ids)
        known = before._known if before is not None else {}
        texts = before._texts if before is not None else {}
        self._known: dict[int, Definition | None] = {
            number: known[number] for number in wanted & known.keys()}
        self._texts: dict[int, str] = {
            number: texts[number] for number in wanted & texts.keys()}
        self._unread = wanted - self._known.keys() - self._texts.keys()

    def of(self, version: WorkflowVersion) -> Definition | None:
        """The definition of a version; None when it does not compile any more."""
        if version.pk not in self._known:
            self._known[version.pk] = _others.get(version.pk) or self._compiled(version)
            self._texts.pop(version.pk, None)
        return self._known[version.pk]

    def known(self, version_id: int) -> Definition | None:
        return self._known.get(version_id)

    def _compiled(self, version: WorkflowVersion) -> Definition | None:
        if version.pk in self._unread:
            unread = [number for number in self._unread if number not in _others]
            self._unread = set()
            self._texts.update(WorkflowVersion.objects.filter(pk__in=unread).values_list(
                "pk", "text"))
        try:
            return compiled(version.pk, self._texts.get(version.pk) or version.text)
        except InvalidWorkflow:
            logger.exception("A published version does not compile any more.",
                             extra={"workflow": version.workflow_id, "version": version.number})
            return None


in_force: Definitions | None = None  # of the current table


def compiled(version_id: int | None, text: str) -> Definition:
    """The definition of a published version. version_id: None for a text that is not stored.

    Raises InvalidWorkflow when this installation does not take it any more.
    """
    found = in_force.known(version_id) if in_force is not None and version_id else None
    key = version_id or text
    found = found or _others.get(key)
    if found is None:
        found = document.parse(text, published=True)
        _others.keep(key, found)
    return found


def forget() -> None:
    """Compile everything anew: tests do that, whose actions come and go."""
    global in_force
    in_force = None
    _others.clear()
