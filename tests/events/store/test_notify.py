"""Waking others: coalesced, after the commit, on a thread of its own."""

import time

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from events.store import notify
from events.store.notify import Notifier


@pytest.fixture
def heard(transactional_db):
    """Everything two channels carry, until `wanted` says it is enough."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    with psycopg.connect(**parameters, autocommit=True) as listener:
        listener.execute("LISTEN omni_events")
        listener.execute("LISTEN omni_runs")
        listener.execute("SELECT pg_advisory_lock_shared(%s)", [notify.HEARD])  # as a live feed

        def until(wanted, *, seconds=10.0):
            found = []
            end = time.monotonic() + seconds
            while time.monotonic() < end and not wanted(found):
                found += [(note.channel, note.payload)
                          for note in listener.notifies(timeout=0.1, stop_after=1)]
            return found

        yield until


def test_ids_of_runs_arrive_joined(heard):
    notify.send_now(notify.RUNS, ["1", "2", "3"])

    assert heard(bool) == [("omni_runs", "1,2,3")]


def test_note_does_not_make_later_commits_less_durable(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        notify.send_now(notify.EVENTS, [])
        cursor.execute("SHOW synchronous_commit")
        kept = cursor.fetchone()[0]
        cursor.execute("RESET synchronous_commit")

    assert kept == "on"


def test_many_ids_are_cut_into_several_notes_of_whole_ids(heard):
    ids = [str(10 ** 9 + number) for number in range(2000)]

    notify.send_now(notify.RUNS, ids)

    notes = heard(lambda found: sum(payload.count(",") + 1 for _, payload in found) >= 2000)
    assert ",".join(payload for _, payload in notes).split(",") == ids
    assert all(len(payload) < 8000 for _, payload in notes)


def test_thread_sends_what_was_asked_for_in_few_notes(heard, settings):
    settings.OMNI_GROUP_COMMIT = True
    notifier = Notifier()

    for number in range(200):
        notifier.send(notify.EVENTS)
        notifier.send(notify.RUNS, str(number))

    def everything(found):
        return {run for channel, payload in found if channel == "omni_runs"
                for run in payload.split(",")} == set(map(str, range(200)))

    notes = heard(everything)
    assert everything(notes) and len(notes) < 100
    assert ("omni_events", "") in notes


@pytest.fixture
def statements():
    """Statements of this thread's connection from here on."""
    with CaptureQueriesContext(connection) as captured:
        yield captured


@pytest.fixture
def notifier(settings):
    """One that sends at once, in this thread."""
    settings.OMNI_GROUP_COMMIT = False
    return Notifier()


def test_note_of_runs_costs_nothing_while_no_feed_hears_it(
        transactional_db, notifier, statements):
    for number in range(100):
        notifier.send(notify.RUNS, str(number))

    assert len(statements) == 1  # whether somebody does


def test_other_notes_are_sent_whether_or_not_a_feed_hears_runs(
        transactional_db, notifier, statements):
    notifier.send(notify.RUNS, "1")
    notifier.send(notify.EVENTS)
    notifier.send(notify.WORK)

    assert len(statements) == 3


def test_feed_that_opens_is_told_of_runs_within_a_second(transactional_db, notifier, request):
    notifier.send(notify.RUNS, "1")  # nobody is there, which is remembered
    heard = request.getfixturevalue("heard")

    end = time.monotonic() + 10
    while time.monotonic() < end and not (found := heard(bool, seconds=0.05)):
        notifier.send(notify.RUNS, "2")

    assert found[0] == ("omni_runs", "2") and end - time.monotonic() > 8


def test_without_group_commit_the_note_follows_the_commit(heard):
    with transaction.atomic():
        Notifier().send(notify.EVENTS)
        early = heard(bool, seconds=0.2)

    assert early == [] and heard(bool) == [("omni_events", "")]


def test_note_inside_a_transaction_does_not_make_its_commit_less_durable(transactional_db):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        Notifier().send(notify.EVENTS)
        cursor.execute("SHOW synchronous_commit")
        kept = cursor.fetchone()[0]

    assert kept == "on"
