"""The runs table as a queue: one owner at a time, in order, and deaths are counted."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from actions.base import done
from events.models import Event
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.engine.route import matching
from registry.engine.run import journal, steps
from registry.engine.run.contract import Ended, Suspended
from registry.engine.run.execution import Execution
from registry.engine.run.hands import RunHands
from registry.engine.starts import reruns
from registry.engine.waits import endings
from registry.engine.work import leases, queue
from registry.engine.work.queue import Claim, Fenced
from registry.expressions.lazy import Lazy
from registry.language.definition import Step
from registry.models import Run
from tests.factories import make_event, make_instance, make_run, make_workflow
from tests.registry.runs import lay_backwards

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


def runs(shop, *keys, **fields):
    """Queued runs with these ordering keys."""
    make_workflow()
    return [make_run(make_event(shop), slot_key=key, **fields) for key in keys]


def claimed(**options):
    return [claim.run_id for claim in queue.claim("w1", **{"limit": 10, **options})]


def expire(run):
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def die(run, times=1):
    """Claim the run and let its worker die, `times` times."""
    for _ in range(times):
        assert queue.claim("w1", limit=1) or queue.claim("w1", limit=1, alone=True)
        expire(run)
        swept = endings.sweep()
    run.refresh_from_db()
    return swept


def test_claimed_run_is_running_under_a_lease_and_a_new_token(shop):
    [run] = runs(shop, None)

    [claim] = queue.claim("w1", limit=5)

    run.refresh_from_db()
    assert claim == Claim(run.pk, 1, 0, claim.now)
    assert (run.state, run.lease_owner, run.token) == ("running", "w1", 1)
    assert run.lease_until > timezone.now() and run.started_at is not None


def test_run_is_claimed_once(shop):
    runs(shop, None)

    assert len(claimed()) == 1 and claimed() == []


def test_no_more_than_the_limit_is_claimed(shop):
    runs(shop, None, None, None)

    assert len(claimed(limit=2)) == 2


def test_limit_holds_whatever_the_planner_does(shop):
    """It may run a subquery once per row: each time other rows are free to lock."""
    runs(shop, *[None] * 6)
    with connection.cursor() as cursor:
        for name in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "indexscan",
                     "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{name} = off")

    assert len(claimed(limit=1)) == 1


def test_run_that_is_not_due_is_left(shop):
    runs(shop, None, available_at=timezone.now() + timedelta(hours=1))

    assert claimed() == []


def test_hurried_run_is_due_at_once_wherever_it_waits(shop):
    later = timezone.now() + timedelta(hours=1)
    queued, waiting, ended = runs(shop, None, None, None, available_at=later)
    Run.objects.filter(pk=waiting.pk).update(state="waiting")
    Run.objects.filter(pk=ended.pk).update(state="failed")

    queue.hurry({queued.pk, waiting.pk, ended.pk})

    assert sorted(claimed()) == [queued.pk, waiting.pk]


def test_run_that_is_due_loses_no_time_by_being_hurried(shop):
    [run] = runs(shop, None)

    queue.hurry({run.pk})

    assert Run.objects.get().available_at == run.available_at


@pytest.mark.parametrize("state", ["running", "waiting", "done", "failed", "dead", "canceled"])
def test_only_queued_runs_are_claimed(shop, state):
    runs(shop, None, state=state)

    assert claimed() == []


def test_only_the_oldest_run_of_a_key_is_claimed(shop):
    first, _, other = runs(shop, "a", "a", "b")

    assert set(claimed()) == {first.pk, other.pk}


def test_next_run_of_a_key_waits_until_the_first_has_ended(shop):
    first, second = runs(shop, "a", "a")
    [claim] = queue.claim("w1", limit=5)
    during = claimed()

    end(claim)

    assert (claim.run_id, during, claimed()) == (first.pk, [], [second.pk])


def test_next_run_of_a_key_waits_while_the_first_is_to_be_tried_again(shop):
    _, _second = runs(shop, "a", "a")
    [claim] = queue.claim("w1", limit=5)
    put_back(claim, 60)

    assert claimed() == []


def test_two_running_runs_of_one_key_are_refused_by_the_database(shop):
    first, second = runs(shop, "a", "a")
    Run.objects.filter(pk=first.pk).update(state="running")

    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.filter(pk=second.pk).update(state="running")


def walk(claim):
    """The run of a claim and an empty walk of it."""
    run = Run.objects.get(pk=claim.run_id)
    definition = matching.compiled(run.version_id, run.version.text)
    return run, Execution(definition=definition, scope=Lazy({}, vars={}),
                          hands=RunHands(run, claim), kinds=steps.modules(), recorded={},
                          waits={})


def note(claim, path, *, after=""):
    """The run is about to begin a step. after: a step that has just ended."""
    run, execution = walk(claim)
    if after:
        execution.note(Step(after, None, "set", None), done(), started=claim.now, duration_ms=0)
    journal.flush(claim, run, execution, at=path)


def end(claim):
    run, execution = walk(claim)
    journal.end(claim, run, execution, Ended("done"))


def put_back(claim, seconds=1.0):
    run, execution = walk(claim)
    journal.suspend(claim, run, execution, Suspended(
        claim.now + timedelta(seconds=seconds), keeps_place=True))


WRITES = {"flush": lambda claim: note(claim, "steps[1]"), "end": end, "suspend": put_back}


@pytest.mark.parametrize("give_back", [put_back, end])
def test_run_that_was_given_back_is_leased_to_nobody(shop, give_back):
    [run] = runs(shop, None)
    [claim] = queue.claim("w1", limit=1)
    give_back(claim)

    leases.let_go([claim])

    run.refresh_from_db()
    assert run.lease_until is None


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_old_token_changes_nothing(shop, write):
    [run] = runs(shop, None)
    [old] = queue.claim("w1", limit=1)
    expire(run)
    endings.sweep()
    [new] = queue.claim("w2", limit=1)

    with pytest.raises(Fenced):
        write(old)

    run.refresh_from_db()
    assert (run.state, run.token, run.lease_owner) == ("running", new.token, "w2")


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_run_that_was_taken_back_changes_nothing_before_it_is_claimed_again(shop, write):
    [run] = runs(shop, None)
    [old] = queue.claim("w1", limit=1)
    expire(run)
    endings.sweep()

    with pytest.raises(Fenced):
        write(old)


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_canceled_run_changes_nothing(shop, write):
    [run] = runs(shop, None)
    [claim] = queue.claim("w1", limit=1)
    endings.cancel_by("user:ana", run)

    with pytest.raises(Fenced):
        write(claim)

    run.refresh_from_db()
    assert (run.state, run.reason) == ("canceled", "canceled by user:ana")


def test_run_is_due_again_after_its_delay(shop):
    [run] = runs(shop, None)
    [claim] = queue.claim("w1", limit=1)

    put_back(claim, 30)

    run.refresh_from_db()
    assert run.state == "queued" and run.lease_until is None
    assert timedelta(seconds=25) < run.available_at - timezone.now() < timedelta(seconds=35)


def test_sweep_takes_back_what_nobody_renewed(shop):
    lost, held = runs(shop, None, None)
    queue.claim("w1", limit=2)
    expire(lost)

    again, dead = endings.sweep()

    lost.refresh_from_db()
    held.refresh_from_db()
    assert (again, dead) == ([lost.pk], [])
    assert (lost.state, lost.deaths, lost.lease_owner) == ("queued", 1, "")
    assert held.state == "running"


def test_run_whose_worker_dies_three_times_is_dead_and_says_so(shop):
    [run] = runs(shop, None)

    _, dead = die(run, 3)

    assert dead == [run.pk]
    assert (run.state, run.code, run.deaths) == ("dead", "worker_died", 3)
    assert run.reason == "the worker died 3 times in a row at the first step (last: w1)"
    alert = Event.objects.get(event_type="system.run.dead")
    assert alert.content["run"] == run.pk and alert.text == run.reason


@pytest.mark.parametrize(("after", "deaths"), [("steps[0]", 0), ("", 2)])
def test_new_step_forgets_earlier_deaths_when_the_run_came_further(shop, after, deaths):
    [run] = runs(shop, None, step_path="steps[0]")
    die(run, 2)
    [claim] = queue.claim("w1", limit=1, alone=True)

    note(claim, "steps[1]", after=after)

    run.refresh_from_db()
    assert (run.deaths, run.step_path) == (deaths, "steps[1]")


@pytest.mark.parametrize("known", ["", "steps[0]"])
def test_step_the_worker_may_have_died_in_keeps_the_count(shop, known):
    [run] = runs(shop, None, step_path=known)
    die(run, 1)
    [claim] = queue.claim("w1", limit=1)

    note(claim, "steps[0]")

    run.refresh_from_db()
    assert (run.deaths, run.step_path) == (1, "steps[0]")


def test_suspect_is_claimed_alone_only(shop):
    suspect, other = runs(shop, None, None)
    Run.objects.filter(pk=suspect.pk).update(deaths=2)

    assert claimed() == [other.pk] and claimed(alone=True) == [suspect.pk]


def test_clean_stop_gives_back_without_counting_a_death(shop):
    _mine, _other = runs(shop, None, None)
    queue.claim("w1", limit=1)
    queue.claim("w2", limit=1)

    leases.release("w1")

    states = list(Run.objects.order_by("id").values_list("state", "deaths", "lease_owner"))
    assert states == [("queued", 0, ""), ("running", 0, "w2")]


@pytest.mark.parametrize("state", ["done", "ignored", "failed", "dead", "canceled"])
def test_run_that_has_ended_cannot_be_canceled(shop, state):
    [run] = runs(shop, None, state=state)

    with pytest.raises(InvalidInput) as refused:
        endings.cancel_by("user:ana", run)

    assert refused.value.code == "stale" and not AuditEntry.objects.filter(
        action="run.canceled").exists()


def test_rerun_is_a_new_run_of_the_same_version(shop):
    [run] = runs(shop, "a", state="failed", inputs={"a": 1})

    first, second = (reruns.rerun(run, actor="user:ana") for _ in range(2))

    assert [run.replay_no, first.replay_no, second.replay_no] == [0, 1, 2]
    assert (first.version_id, first.inputs, first.state) == (run.version_id, {"a": 1}, "queued")
    assert AuditEntry.objects.filter(action="run.rerun").count() == 2


@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_run_that_has_not_ended_cannot_be_rerun(shop, state):
    [run] = runs(shop, None, state=state)

    with pytest.raises(InvalidInput, match="has not ended yet"):
        reruns.rerun(run, actor="user:ana")


@pytest.mark.django_db(transaction=True)
def test_many_claimers_never_share_a_run_nor_a_key():
    import threading

    shop = make_instance()
    runs(shop, *[f"k{number % 7}" for number in range(42)], *[None] * 20)
    taken, errors = [], []
    lock = threading.Lock()

    def work():
        try:
            while True:
                claims = queue.claim(threading.current_thread().name, limit=3)
                if not claims and not Run.objects.filter(state="queued").exists():
                    return
                for claim in claims:
                    with lock:
                        taken.append(claim.run_id)
                for claim in claims:
                    end(claim)
        except Exception as exc:
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert not errors
    assert sorted(taken) == sorted(Run.objects.values_list("pk", flat=True))
    for key in range(7):
        ended = list(Run.objects.filter(slot_key=f"k{key}").order_by("ended_at")
                     .values_list("pk", flat=True))
        assert ended == sorted(ended)


def test_run_that_has_been_due_the_longest_is_taken_first(shop):
    first, *_ = runs(shop, None, None, None)
    Run.objects.filter(pk=first.pk).update(available_at=timezone.now() - timedelta(seconds=60))
    lay_backwards("omni_runs")

    assert claimed(limit=1) == [first.pk]


def test_run_that_was_woken_stands_behind_who_came_before(shop):
    first, second = runs(shop, "a", "a")
    Run.objects.filter(pk=first.pk).update(state="waiting")

    queue.wake([first.pk])

    assert (claimed(), claimed()) == ([second.pk], [])
    assert Run.objects.get(pk=first.pk).state == "blocked"


def test_run_whose_time_has_come_stands_behind_who_came_before(shop):
    first, second = runs(shop, "a", "a")
    Run.objects.filter(pk=first.pk).update(state="waiting")

    queue.wake_due()

    assert claimed() == [second.pk]
