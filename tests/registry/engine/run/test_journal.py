"""Outcomes that cannot be stored, and errors that are no step's: no death, and a true reason."""

import math

import pytest
from django.db import DataError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from actions.base import Outcome, done
from connections.secrets.store import Secret
from events.models import Event, EventAction
from omni.errors import Held
from registry.engine.run import journal, runner
from registry.engine.work import queue
from registry.models import Run, WorkflowVersion
from tests.registry.runs import Crash, advance, crash, forward, outcomes

pytestmark = pytest.mark.django_db


def walk(run):
    """Claim the run and walk it as a worker does: what breaks off is told to the journal."""
    run.refresh_from_db()
    forward(run.available_at)
    queue.wake_due()
    [claim] = queue.claim("w1", limit=1) or queue.claim("w1", limit=1, alone=True)
    told = None
    try:
        runner.advance(claim)
    except Exception as exc:  # around a task, as in the worker
        told = journal.errored(claim, exc)
    run.refresh_from_db()
    return told


def claimed(run):
    [claim] = queue.claim("w1", limit=1)
    assert claim.run_id == run.pk
    return claim


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_number_that_is_none_is_null_for_later_steps_and_in_the_trace(start, probe, odd):
    probe.answers = [Outcome("done", {"said": odd})]
    run = advance(start("""
- {id: first, uses: custom.look}
- {uses: custom.look, with: {say: "${{ steps.first.output.said }}"}}
"""))

    row = EventAction.objects.filter(run_id=run.pk).earliest("id")
    assert run.state == "done" and probe.calls == [None, None]
    assert row.output == {"said": None} and "became null" in row.reason


def test_output_too_large_to_store_fails_its_step_and_on_error_handles_it(start, probe):
    probe.answers = [Outcome("done", {"said": "x" * 9_000_000})]
    run = advance(start("""
- {uses: custom.send, on_error: [{uses: custom.look, with: {say: "${{ error.code }}"}}]}
"""))

    assert run.state == "done" and probe.calls == [None, "unstorable"]


@pytest.fixture
def refused():
    """The database refuses outcomes that hold the word."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE omni_event_actions ADD CONSTRAINT no_such_word "
                       "CHECK (output::text NOT LIKE '%refused word%')")


@pytest.mark.parametrize("second", ["custom.send", "custom.look"])
def test_outcome_the_database_refuses_is_a_failed_step(start, probe, refused, second):
    probe.answers = [done(said="first"), done(said="refused word"), done(), done()]
    run = start(f"""
- {{id: first, uses: custom.change}}
- {{id: odd, uses: custom.change, on_error: continue}}
- {{uses: {second}, with: {{say: "${{{{ steps.odd.error.code }}}}"}}}}
""")
    while run.state == "queued":
        assert walk(run) is not False

    assert (run.state, run.deaths, run.errors) == ("done", 0, 0)
    assert outcomes(run) == [("steps[0]", 1, "done"), ("steps[1]", 1, "failed"),
                             ("steps[2]", 1, "done")]
    assert probe.calls[-1] == "unstorable" and probe.calls[:2] == [None, None]
    row = EventAction.objects.get(run_id=run.pk, path="steps[1]")
    assert "could not be stored" in row.reason and "no_such_word" in row.reason


def test_wait_that_cannot_be_stored_is_a_failed_step(start, probe):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE omni_waits ADD CONSTRAINT no_such_word "
                       "CHECK (facts::text NOT LIKE '%refused word%')")
    run = start("""
- {uses: custom.look}
- approval: {ask: refused word, of: [user:ana]}
""")
    while run.state == "queued":
        walk(run)

    assert (run.state, run.code, run.deaths) == ("failed", "unstorable", 0)
    assert len(probe.calls) == 1


def test_place_too_long_for_its_column_ends_the_run_at_once(start, probe):
    """Of a version that was published before such places were refused."""
    run = start("- uses: custom.look")
    long = "x" * 60
    text = f"""
omni: 1
id: probed
trigger: [{{event: message.text}}]
steps: [{{parallel: {{{long}: [{{parallel: {{{long}: [{{parallel: {{{long}: [{{parallel: {{{long}: [
  {{uses: custom.change}}]}}}}]}}}}]}}}}]}}}}]
"""
    version = WorkflowVersion.objects.create(
        workflow=run.workflow, number=2, text=text, sha256="", compiled={})
    Run.objects.filter(pk=run.pk).update(version=version)
    while run.state == "queued":
        walk(run)

    assert (run.state, run.code, run.deaths, run.errors) == ("failed", "unstorable", 0, 0), (
        run.reason)
    assert "varying(255)" in run.reason and len(probe.calls) == 1
    assert Event.objects.filter(event_type="workflow.failed").count() == 1


def test_error_of_our_own_is_no_death_and_the_run_comes_back_later(start, probe):
    run = start("- uses: custom.look")
    claim = claimed(run)

    told = journal.errored(claim, ZeroDivisionError("bug"))
    run.refresh_from_db()

    assert told is True
    assert (run.state, run.errors, run.deaths, run.lease_owner) == ("queued", 1, 0, "")
    assert 1 < (run.available_at - timezone.now()).total_seconds() < 3


def test_each_error_is_waited_for_longer_and_the_third_ends_the_run_with_its_reason(start, probe):
    Secret.objects.create(name="token", value="quoted-secret")
    run, pauses = start("- uses: custom.look"), []
    for _ in range(3):
        run.refresh_from_db()
        forward(run.available_at)
        claim = claimed(run)
        journal.errored(claim, DataError("value too long: quoted-secret\nDETAIL: row (Ana)"))
        was, _ = run.available_at, run.refresh_from_db()
        pauses.append((run.available_at - was).total_seconds())

    assert (run.state, run.code, run.deaths) == ("failed", "engine_error", 0)
    assert run.reason == "DataError: value too long: [secret]"
    assert pauses[0] < pauses[1]
    assert Event.objects.get(event_type="workflow.failed").content["code"] == "engine_error"


@pytest.mark.parametrize("exc", [OperationalError("server closed the connection"),
                                 InterfaceError("connection already closed")])
def test_database_that_is_away_counts_for_nothing(start, probe, exc):
    run = start("- uses: custom.look")
    claim = claimed(run)

    assert journal.errored(claim, exc) is False
    run.refresh_from_db()
    assert (run.state, run.errors, run.deaths) == ("running", 0, 0)


@pytest.mark.parametrize(("sql", "transient"), [
    ("SET LOCAL statement_timeout = 5; SELECT pg_sleep(5)", True),
    ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", True),
    ("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", True),
    ("DO $$ BEGIN RAISE SQLSTATE '53300'; END $$", True),
    ("DO $$ BEGIN RAISE SQLSTATE '57P01'; END $$", True),
    ("DO $$ BEGIN RAISE SQLSTATE '54000'; END $$", False),
    ("SELECT 1/0", False)])
def test_what_passes_by_itself_is_told_from_what_does_not(start, probe, sql, transient):
    run = start("- uses: custom.look")
    claim = claimed(run)
    with pytest.raises(Exception) as broken, transaction.atomic(), \
            connection.cursor() as cursor:
        cursor.execute(sql)

    assert journal.errored(claim, broken.value) is not transient


def test_run_that_was_taken_over_is_left_alone(start, probe):
    run = start("- uses: custom.look")
    claim = claimed(run)
    Run.objects.update(token=99)

    assert journal.errored(claim, ZeroDivisionError("bug")) is True
    run.refresh_from_db()
    assert (run.state, run.errors) == ("running", 0)


def test_errors_are_forgotten_where_the_run_comes_further(start, probe):
    run = start("- {uses: custom.change}\n- {uses: custom.change}\n- {uses: custom.change}")
    journal.errored(claimed(run), ZeroDivisionError("bug"))

    walk(run)

    assert (run.state, run.errors) == ("done", 0)


def test_run_that_dies_between_two_steps_again_and_again_ends(start, probe):
    """Each walk names the step of one arm, then that of the other, and comes no further."""
    run = start("""
- parallel:
    left: [{uses: custom.change, with: {say: left}}]
    right: [{uses: custom.change, with: {say: right}}]
""")
    for _ in range(5):
        probe.answers = [Held("not now", retry_after=0), Crash()]
        crash(run)
        run.refresh_from_db()
        if run.state == "dead":
            break

    assert run.state == "dead"
