"""The runs table as a queue: order, leases, fencing, deaths, and what people do to runs."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from events.models import Event
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry import queue
from registry.models import Run
from tests.factories import make_event, make_instance, make_run

pytestmark = pytest.mark.django_db


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)


def claim_one(**options):
    [claim] = queue.claim("worker:1", limit=1, **options)
    return claim


def expire(run):
    Run.objects.filter(pk=run.pk).update(lease_until=ago(1))


def die(run):
    """A worker takes the run and its lease runs out."""
    Run.objects.filter(pk=run.pk).update(state="running", lease_until=ago(1),
                                         lease_owner="worker:dead")
    return queue.sweep()


def fresh(run):
    return Run.objects.get(pk=run.pk)


def test_claim_takes_the_run_with_a_new_token_and_a_lease():
    run = make_run()

    claim = claim_one()

    run = fresh(run)
    assert (claim.run_id, claim.token, claim.deaths) == (run.pk, 1, 0)
    assert (run.state, run.token, run.lease_owner) == ("running", 1, "worker:1")
    assert run.lease_until > timezone.now() and run.started_at is not None


def test_start_of_a_run_is_its_first_claim():
    run = make_run(started_at=ago(60))
    claim_one()

    assert fresh(run).started_at < ago(50)


def test_claimed_run_is_not_claimed_again():
    make_run()
    claim_one()

    assert queue.claim("worker:2", limit=5) == []


def test_run_that_is_not_due_is_not_claimed():
    make_run(available_at=timezone.now() + timedelta(seconds=60))

    assert queue.claim("worker:1", limit=5) == []


@pytest.mark.parametrize("state", ["waiting", "done", "ignored", "failed", "dead", "canceled"])
def test_only_queued_runs_are_claimed(state):
    make_run(state=state)

    assert queue.claim("worker:1", limit=5) == []


def test_claim_takes_no_more_than_its_limit_and_the_longest_due_first():
    late, early = make_run(available_at=ago(1)), make_run(available_at=ago(9))
    make_run()

    claims = queue.claim("worker:1", limit=2)

    assert {claim.run_id for claim in claims} == {early.pk, late.pk}


def test_runs_of_one_ordering_key_go_one_after_the_other_in_their_order():
    first, second = make_run(ordering_key="k"), make_run(ordering_key="k")
    other = make_run(ordering_key="other")

    claims = queue.claim("worker:1", limit=5)
    assert {claim.run_id for claim in claims} == {first.pk, other.pk}
    assert queue.claim("worker:2", limit=5) == []
    queue.end(next(claim for claim in claims if claim.run_id == first.pk), "done", reason="")

    assert claim_one().run_id == second.pk


def test_later_run_of_a_key_waits_for_one_that_is_due_later():
    make_run(ordering_key="k", available_at=timezone.now() + timedelta(seconds=60))
    make_run(ordering_key="k", available_at=ago(60))

    assert queue.claim("worker:1", limit=5) == []


def test_database_refuses_two_running_runs_of_one_key():
    make_run(ordering_key="k", state="running")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_run(ordering_key="k", state="running")


@pytest.mark.parametrize("write", [
    lambda claim: queue.advance_to(claim, "steps[1]"),
    lambda claim: queue.end(claim, "done", reason=""),
    lambda claim: queue.again_after(claim, 5),
], ids=["advance_to", "end", "again_after"])
def test_old_token_cannot_write(write):
    run = make_run()
    old = claim_one()
    expire(run)
    queue.sweep()
    claim_one()

    with pytest.raises(queue.Fenced):
        write(old)

    assert (fresh(run).state, fresh(run).step_path) == ("running", "")


def test_renewing_extends_only_leases_that_are_still_held():
    held, lost = make_run(), make_run()
    claims = queue.claim("worker:1", limit=2)
    Run.objects.update(lease_until=ago(1))
    Run.objects.filter(pk=lost.pk).update(token=9)

    queue.renew(claims)

    assert fresh(held).lease_until > timezone.now() > fresh(lost).lease_until


def test_run_given_back_is_due_after_the_delay_and_claimed_with_a_new_token():
    run = make_run()
    queue.again_after(claim_one(), 30)

    assert queue.claim("worker:1", limit=1) == []
    assert timedelta(seconds=25) < fresh(run).available_at - timezone.now() <= timedelta(seconds=30)
    Run.objects.update(available_at=ago(1))
    assert claim_one().token == 2


def test_lease_that_holds_is_not_swept():
    run = make_run()
    claim_one()

    assert queue.sweep() == ([], []) and fresh(run).state == "running"


def test_lease_that_ran_out_queues_the_run_again_and_counts_a_death():
    run = make_run()

    queued, dead = die(run)

    assert (queued, dead) == ([run.pk], [])
    assert (fresh(run).state, fresh(run).deaths, fresh(run).lease_owner) == ("queued", 1, "")


def test_third_death_in_a_row_ends_the_run_with_reason_and_alert():
    run = make_run(step_path="steps[1]")
    die(run)
    die(run)

    queued, dead = die(run)

    run = fresh(run)
    assert (queued, dead) == ([], [run.pk])
    assert (run.state, run.code, run.deaths) == ("dead", "worker_died", 3)
    assert "died 3 times in a row at steps[1] (last: worker:dead)" in run.reason
    assert run.ended_at is not None
    alert = Event.objects.get(event_type="system.run.dead")
    assert alert.caused_by_id == run.event_id and alert.content["run"] == run.pk
    assert (alert.text, alert.content["code"]) == (run.reason, "worker_died")


def test_progress_to_another_step_forgets_deaths_and_the_same_step_does_not():
    run = make_run(deaths=1, step_path="steps[0]")
    claim = claim_one()

    queue.advance_to(claim, "steps[0]")
    assert fresh(run).deaths == 1
    queue.advance_to(claim, "steps[1]")

    assert (fresh(run).deaths, fresh(run).step_path) == (0, "steps[1]")


def test_run_that_killed_two_workers_is_taken_only_alone():
    suspect, healthy = make_run(deaths=2), make_run()

    assert queue.waiting_alone()
    assert claim_one().run_id == healthy.pk
    assert queue.claim("worker:1", limit=5) == []

    assert claim_one(alone=True).run_id == suspect.pk and not queue.waiting_alone()


def test_clean_stop_gives_runs_back_without_a_death():
    mine = make_run()
    claim_one()
    theirs = make_run()
    queue.claim("worker:2", limit=1)

    queue.release("worker:1")

    assert (fresh(mine).state, fresh(mine).deaths) == ("queued", 0)
    assert fresh(theirs).state == "running"


@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_live_run_is_canceled_and_says_by_whom(state):
    run = make_run(state=state)

    queue.cancel(run, actor="user:ana")

    assert (fresh(run).state, fresh(run).reason) == ("canceled", "canceled by user:ana")
    assert AuditEntry.objects.get(action="run.canceled").actor == "user:ana"


def test_worker_on_a_canceled_run_is_fenced():
    run = make_run()
    claim = claim_one()
    queue.cancel(run, actor="user:ana")

    with pytest.raises(queue.Fenced):
        queue.end(claim, "done", reason="")

    assert fresh(run).state == "canceled"


def test_ended_run_cannot_be_canceled():
    run = make_run(state="done")

    with pytest.raises(InvalidInput, match="ended already"):
        queue.cancel(run, actor="user:ana")


def test_rerun_is_a_new_run_of_the_same_version_with_the_next_number():
    run = make_run(state="failed", inputs={"a": 1}, ordering_key="k")
    first = queue.rerun(run, actor="user:ana")
    Run.objects.filter(pk=first.pk).update(state="done")

    second = queue.rerun(run, actor="user:ana")

    assert [first.replay_no, second.replay_no] == [1, 2]
    assert (second.version_id, second.inputs, second.ordering_key, second.state) == (
        run.version_id, {"a": 1}, "k", "queued")
    assert fresh(run).state == "failed"


@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_live_run_is_not_rerun(state):
    with pytest.raises(InvalidInput, match="not ended"):
        queue.rerun(make_run(state=state), actor="user:ana")


@pytest.mark.django_db(transaction=True)
def test_workers_that_claim_at_once_never_share_a_run():
    event_runs = [make_run(make_event(make_instance(f"s{n}")), ordering_key=f"k{n % 4}")
                  for n in range(12)]
    gate, taken = threading.Barrier(4), []

    def work(number):
        try:
            gate.wait(10)
            taken.extend(queue.claim(f"worker:{number}", limit=12))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    ids = [claim.run_id for claim in taken]
    assert len(ids) == len(set(ids)) == 4
    assert set(ids) == {run.pk for run in event_runs[:4]}
