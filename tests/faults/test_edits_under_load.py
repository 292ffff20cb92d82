"""A workflow that is edited many times a second: each event has one run, of one of its versions."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.system import System, unique
from tests.faults.traffic import Entry, Traffic, ledger

pytestmark = pytest.mark.faults
MESSAGES = 300
EDITORS = 3
EDITS_PER_SECOND = 10.0  # of all editors; a slow machine makes fewer
LEAST_VERSIONS = 10  # that runs must have had, so that the test says something
# Every run is put to sleep between the two places that name the edit.
TEXT = """
omni: 1
id: {slug}
priority: 10
claim: reply
vars: {{edit: {edit}}}
trigger:
  - event: message.text
    where: startswith(event.text, '{slug}')
steps:
  - wait: 300ms
  - uses: route.reply
    with: {{text: "${{{{ vars.edit }}}}/{edit}: ${{{{ event.text }}}}"}}
"""
_RUNS = """
SELECT e.provider_message_id, (v.compiled -> 'vars' ->> 'edit')::int, v.published_at <= e.routed_at
FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
JOIN omni_workflow_versions v ON v.id = r.version_id JOIN omni_workflows w ON w.id = v.workflow_id
WHERE w.slug = %s
"""


class Editors:
    """Publish edit after edit of one workflow, at an even pace. published: numbers of edits."""

    def __init__(self, system: System, slug: str) -> None:
        self.published: list[int] = []
        self.errors: list[BaseException] = []
        self._system, self._slug = system, slug
        self._edits = itertools.count(2)  # the first is there
        self._start = time.monotonic()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._edit, daemon=True) for _ in range(EDITORS)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Edit while the body runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(35)

    def _edit(self) -> None:
        try:
            for edit in self._edits:
                due = self._start + edit / EDITS_PER_SECOND
                if self._stop.wait(max(0.0, due - time.monotonic())):
                    return
                self._system.api("POST", f"workflows/{self._slug}/publish/",
                                 {"text": TEXT.format(slug=self._slug, edit=edit)})
                self.published.append(edit)
        except AssertionError as exc:  # of a thread: the test shows it
            self.errors.append(exc)


def test_event_has_one_run_of_one_version_while_its_workflow_is_edited(system: System):
    slug = unique("e")
    system.switch_on(slug, TEXT.format(slug=slug, edit=1))
    editors = Editors(system, slug)

    with editors.at_work():
        traffic = Traffic(system, messages=MESSAGES, tag=slug)
        traffic.finish(seconds=90)

    runs = system.rows(_RUNS, slug)
    edits = {message_id: edit for message_id, edit, _ in runs}
    assert editors.errors == []
    assert sorted(message_id for message_id, *_ in runs) == sorted(traffic.ids)
    assert [message_id for message_id, _, in_time in runs if not in_time] == []
    assert set(edits.values()) <= {1, *editors.published}
    assert len(set(edits.values())) >= LEAST_VERSIONS
    assert {message_id: entry for message_id, entry in ledger(system, slug).items()
            if entry != Entry(events=1, runs=["done"], outbox=["succeeded"])} == {}
    assert system.peer.texts(slug) == sorted(
        f"{edit}/{edit}: {message_id}" for message_id, edit in edits.items())
