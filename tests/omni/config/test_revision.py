"""The number of the configuration: what its writers and its readers may rely on."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from actions.models import Agent, ContactList, ContactListEntry
from omni.config import revision
from omni.config.remembered import Remembered
from registry.models import Workflow

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 20


@pytest.fixture
def remembering(settings) -> None:
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads with connections of their own."""
    with ThreadPoolExecutor(4) as threads:
        yield threads
        list(threads.map(lambda _: connection.close(), range(16)))


def set_number(value: int) -> None:
    Agent.objects.filter(slug="helper").update(timeout=value)


def number_in_the_row() -> float:
    return Agent.objects.get(slug="helper").timeout


def number_read_slowly() -> float:
    """Time enough for a commit between what is read and what is remembered."""
    value = number_in_the_row()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.002)")
    return value


def seen_in_a_statement() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {revision.NUMBER}")
        return cursor.fetchone()[0]


def test_number_stands_for_as_long_as_the_setting_says(remembering):
    before = revision.current()
    Agent.objects.create(slug="helper", name="Helper")

    assert revision.current() == before
    assert revision.read() == revision.current() == before + 1


def test_number_somebody_saw_is_the_least_one_to_go_by(remembering):
    revision.current()
    Agent.objects.create(slug="helper", name="Helper")
    number = seen_in_a_statement()
    revision.seen(number, asked_at=time.monotonic())

    assert revision.current() == number


def test_what_was_heard_of_is_asked_for_anew(remembering):
    before = revision.current()
    Agent.objects.create(slug="helper", name="Helper")
    revision.doubt()

    assert revision.current() == before + 1


def test_number_of_a_transaction_is_nobody_elses(remembering, pool):
    before = revision.current()
    with transaction.atomic():
        Agent.objects.create(slug="helper", name="Helper")
        inside = revision.read()
        elsewhere = pool.submit(revision.read).result(SECONDS)
        here = revision.current()

    assert (inside, here, elsewhere) == (before + 1, before + 1, before)
    assert revision.read() == before + 1


def test_look_up_sees_what_its_own_transaction_wrote_and_others_never_do(remembering, pool):
    kept: Remembered[str, float] = Remembered("agents", most=10)
    Agent.objects.create(slug="helper", name="Helper", timeout=1)
    kept.get("helper", number_in_the_row)
    with transaction.atomic():
        set_number(2)
        revision.read()
        inside = kept.get("helper", number_in_the_row)
        elsewhere = pool.submit(kept.get, "helper", number_in_the_row).result(SECONDS)
        transaction.set_rollback(True)

    assert (inside, elsewhere, kept.get("helper", number_in_the_row)) == (2, 1, 1)


def test_what_was_never_committed_is_not_remembered_though_nobody_asked(remembering):
    kept: Remembered[str, float] = Remembered("agents", most=10)
    Agent.objects.create(slug="helper", name="Helper", timeout=1)
    revision.read()
    with transaction.atomic():
        set_number(2)
        kept.get("helper", number_in_the_row)
        transaction.set_rollback(True)

    assert kept.get("helper", number_in_the_row) == 1


def test_writers_of_one_topic_never_wait_for_each_other(pool):
    both_wrote = threading.Barrier(2)
    workflows = [Workflow.objects.create(slug=slug, draft="") for slug in ("a", "b")]
    before = revision.read()

    def write(mine: Workflow) -> int:
        with transaction.atomic():
            Workflow.objects.select_for_update().get(pk=mine.pk)
            Workflow.objects.filter(pk=mine.pk).update(mode="paused")
            both_wrote.wait(SECONDS)  # neither has committed
        return revision.read()

    after = list(pool.map(write, workflows))

    assert max(after) == revision.read() == before + 2


def test_number_rises_with_each_of_two_commits_that_overlap(pool):
    wrote, may_end = threading.Event(), threading.Event()
    before = revision.read()

    def slow() -> None:
        with transaction.atomic():
            Agent.objects.create(slug="slow", name="Slow")
            wrote.set()
            assert may_end.wait(SECONDS)

    first = pool.submit(slow)
    assert wrote.wait(SECONDS)
    Agent.objects.create(slug="fast", name="Fast")
    between = revision.read()
    may_end.set()
    first.result(SECONDS)

    assert before < between < revision.read()


def test_what_was_read_before_the_number_moved_is_not_kept_under_the_new_one(remembering, pool):
    kept: Remembered[str, float] = Remembered("agents", most=10)
    Agent.objects.create(slug="helper", name="Helper", timeout=1)
    has_read, may_return = threading.Event(), threading.Event()

    def slow() -> float:
        value = number_in_the_row()
        has_read.set()
        assert may_return.wait(SECONDS)
        return value

    early = pool.submit(kept.get, "helper", slow)
    assert has_read.wait(SECONDS)
    set_number(2)
    revision.read()
    kept.get("other", number_in_the_row)  # what is kept is of the new number now
    may_return.set()

    assert early.result(SECONDS) == 1
    assert kept.get("helper", number_in_the_row) == 2


@pytest.mark.parametrize("how", ["asked", "seen"])
def test_no_reader_keeps_old_data_under_a_new_number(how, pool, settings):
    """What was committed before a look-up began counts for it, whichever thread loads."""
    settings.OMNI_INSTANCE_CACHE_SECONDS = 0 if how == "asked" else 60
    kept: Remembered[str, float] = Remembered("agents", most=10)
    Agent.objects.create(slug="helper", name="Helper", timeout=0)
    committed, is_over, stale = [0], threading.Event(), []

    def write(first: int) -> None:
        for value in range(first, first + 80):
            with transaction.atomic():
                set_number(value)
            committed[0] = max(committed[0], value)

    def read() -> int:
        count = 0
        while not is_over.is_set():
            least = committed[0]
            if how == "seen":
                revision.seen(seen_in_a_statement(), asked_at=time.monotonic())
            found = kept.get("helper", number_read_slowly)
            count += 1
            if found < least:
                stale.append((found, least))
        return count

    readers = [pool.submit(read) for _ in range(3)]
    pool.submit(write, 1).result(SECONDS)
    is_over.set()
    counts = [reader.result(SECONDS) for reader in readers]
    revision.read()

    assert (stale, kept.get("helper", number_in_the_row)) == ([], 80)
    assert min(counts) > 10


def test_import_of_many_entries_raises_the_number_once():
    row = ContactList.objects.create(name="many")
    before = revision.read()
    with transaction.atomic():
        for start in range(0, 3000, 500):
            ContactListEntry.objects.bulk_create([ContactListEntry(
                contact_list=row, pattern=f"+{number}") for number in range(start, start + 500)])

    assert revision.read() == before + 1


def test_forked_process_knows_nothing(remembering):
    kept: Remembered[str, int] = Remembered("agents", most=10)
    kept.get("a", lambda: 1)
    child = os.fork()
    if not child:
        os._exit(len(kept) + int(revision.is_fresh()))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (len(kept), revision.is_fresh()) == (1, True)


def test_database_that_went_back_is_believed(remembering):
    kept: Remembered[str, float] = Remembered("agents", most=10)
    Agent.objects.create(slug="helper", name="Helper", timeout=1)
    revision.seen(revision.read(), asked_at=time.monotonic())
    kept.get("helper", number_in_the_row)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE omni_agents DISABLE TRIGGER USER")
        set_number(2)
        cursor.execute("ALTER TABLE omni_agents ENABLE TRIGGER USER")
        cursor.execute("UPDATE omni_config_revision SET number = 0")
    revision.read()

    assert (revision.current(), kept.get("helper", number_in_the_row)) == (0, 2)
