"""Runs that sleep for days lose nothing when everything stops: they go on when their time has come,
not before, and once. Nobody waits for days here: the clock of the database is moved.
"""

from collections.abc import Iterator

import pytest

from tests.faults.system import System, unique, until
from tests.faults.test_failpoints import await_end, restart_workers

pytestmark = pytest.mark.faults
SECONDS = 40.0
PERSON = 7000  # the first of those who write here
HEAD = """
omni: 1
id: {slug}
priority: 10
claim: reply
timeout: 90d
trigger:
  - event: message.text
    where: startswith(event.text, '{tag}')
"""
BURST = HEAD + """
debounce: {{quiet: 1h}}
steps:
  - uses: route.reply
    with: {{text: "burst of ${{{{ len(event.batch) }}}}: ${{{{ event.batch_text }}}}"}}
"""
WAIT = HEAD + """
steps:
  - id: month
    wait: 30d
  - uses: route.reply
    with: {{text: "${{{{ steps.month.output.outcome }}}}: ${{{{ event.text }}}}"}}
"""
APPROVAL = HEAD + """
steps:
  - id: ok
    approval:
      ask: Send this?
      show: ${{{{ event.text }}}}
      of: [group:desk]
      timeout: 2d
      on_timeout: approve
  - uses: route.reply
    if: steps.ok.output.timed_out
    with: {{text: "${{{{ steps.ok.output.decision }}}}: ${{{{ event.text }}}}"}}
"""
_RUNS = """
SELECT w.slug, r.state, jsonb_array_length(r.batch) FROM omni_runs r
JOIN omni_workflows w ON w.id = r.workflow_id WHERE w.slug = ANY(%s) ORDER BY w.slug
"""
_APPROVALS = """
SELECT a.state FROM omni_approvals a JOIN omni_runs r ON r.id = a.run_id
JOIN omni_workflows w ON w.id = r.workflow_id WHERE w.slug = ANY(%s)
"""


@pytest.fixture
def movable(system: System) -> Iterator[System]:
    """The system; what begins after the test goes by the real time again."""
    yield system
    system.move_clock(days=0)
    restart_workers(system)


def test_sleeping_runs_outlive_a_stop_of_everything_and_go_on_in_their_time(movable: System):
    tag = unique("L").lower()
    slugs = [f"{tag}-{name}" for name in ("a-burst", "b-wait", "c-approval")]
    for slug, text in zip(slugs, (BURST, WAIT, APPROVAL), strict=True):
        movable.switch_on(slug, text.format(slug=slug, tag=slug))
    burst, wait, approval = slugs
    for message_id, person in ((f"{burst}-1", 0), (f"{burst}-2", 0), (f"{burst}-3", 0),
                               (wait, 1), (approval, 2)):
        assert movable.post(message_id, person=PERSON + person) == 202
    asleep = [(burst, "waiting", 3), (wait, "waiting", 0), (approval, "waiting", 0)]
    until(lambda: movable.rows(_RUNS, slugs) == asleep and movable.rows(_APPROVALS, slugs),
          seconds=SECONDS, what="the three runs sleep")

    start_everything_again(movable)
    see_work_done(movable)
    untouched = movable.rows(_RUNS, slugs), movable.rows(_APPROVALS, slugs), movable.peer.texts(tag)
    movable.kill("worker")
    movable.move_clock(days=31)
    movable.start_workers()
    until(lambda: {state for _, state, _ in movable.rows(_RUNS, slugs)} == {"done"},
          seconds=SECONDS, what="the three runs are done")
    see_work_done(movable)

    assert untouched == (asleep, [("open",)], [])
    assert [state for _, state, _ in movable.rows(_RUNS, slugs)] == ["done"] * 3
    assert movable.rows(_APPROVALS, slugs) == [("approved",)]
    assert movable.peer.texts(tag) == sorted([
        f"approve: {approval}", f"elapsed: {wait}",
        f"burst of 3: {burst}-1\n{burst}-2\n{burst}-3"])


def start_everything_again(system: System) -> None:
    """kill -9 of workers, web and PostgreSQL, then the start of all three."""
    system.kill("worker")
    system.kill("web")
    system.kill_database()
    system.start_database()
    system.start_web()
    system.start_workers()


def see_work_done(system: System) -> None:
    """Wait until a message went the whole way: what was due before it had its chance."""
    message_id = unique("S")
    assert system.post(message_id, person=PERSON + 3) == 202
    await_end(system, message_id)
