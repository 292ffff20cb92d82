"""Two workers at one run, or one conversation, at the same time: neither undoes the other."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from omni.errors import InvalidInput
from registry.engine.route import gates, matching, routing
from registry.engine.run import runner
from registry.engine.starts import reruns
from registry.engine.waits import approvals, endings, waits
from registry.engine.work import queue
from registry.models import Approval, Run, Wait, Workflow
from registry.versions import drafts, publishing
from tests.factories import GREETER, make_event, make_instance, make_run, make_workflow
from tests.registry.runs import advance
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop():
    return make_instance()


def asleep(shop, **fields):
    make_workflow()
    return make_run(make_event(shop), **{"state": "waiting", "slot_key": "a", **fields})


def tickets(*runs):
    found = dict(Run.objects.values_list("pk", "ticket"))
    return [found[run.pk] for run in runs]


DRAWS = {
    "wake": lambda run: queue.wake([run.pk]),
    "wake_due": lambda run: queue.wake_due(),
}


@pytest.mark.parametrize("wake", DRAWS.values(), ids=list(DRAWS))
def test_woken_run_stands_behind_one_that_is_just_being_stored(shop, wake):
    """Else its ticket would be lower than one that was seen later."""
    run = asleep(shop)

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(lambda: wake(run))
        waited_for = other.waits_for()
        new = make_run(make_event(shop), slot_key="a")
    other.gives()

    first, second = tickets(new, run)
    assert waited_for == "advisory" and first < second


def test_two_that_want_the_same_places_in_line_do_not_wait_in_a_circle():
    keys = [f"place {number}" for number in range(9, -1, -1)]

    with transaction.atomic():
        queue.lock_slots([min(keys)])
        other = Elsewhere(lambda: queue.lock_slots(keys))
        assert other.waits_for() == "advisory"
        queue.lock_slots(keys)
    other.gives()


def test_rerun_stands_behind_a_run_that_is_just_being_stored(shop):
    run = asleep(shop, state="failed")

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(lambda: reruns.rerun(run, actor="user:ana"))
        waited_for = other.waits_for()
        new = make_run(make_event(shop), slot_key="a")
    again = other.gives()

    first, second = tickets(new, again)
    assert waited_for == "advisory" and first < second


def test_two_people_who_rerun_a_run_at_once_get_a_run_each(shop):
    run = asleep(shop, state="failed", slot_key=None)

    with transaction.atomic():
        first = reruns.rerun(run, actor="user:ana")
        other = Elsewhere(lambda: reruns.rerun(run, actor="user:bo"))
        assert other.waits_for()
    second = other.gives()

    assert (first.replay_no, second.replay_no) == (1, 2)


def test_two_sweeps_at_once_count_one_death(shop):
    run = asleep(shop, state="running", lease_until=timezone.now() - timedelta(seconds=1))

    with transaction.atomic():
        queue.take_back()
        other = Elsewhere(endings.sweep)
        waited_for = other.waits_for()
    swept = other.gives()

    run.refresh_from_db()
    assert (waited_for, swept, run.deaths) == ("", ([], []), 1)


@pytest.fixture
def waiting(start, shop):
    """A run that waits for an event."""
    return advance(start("- wait: {event: message.text, where: len(event.text) > 0}",
                         event=make_event(shop)))


def test_wait_that_two_settle_at_once_keeps_what_the_first_gave(waiting):
    wait = Wait.objects.get()

    with transaction.atomic():
        first = waits.settle(wait.pk, {"event": {"text": "first"}})
        other = Elsewhere(lambda: waits.settle(wait.pk, {"event": {"text": "second"}}))
        assert other.waits_for()
    second = other.gives()

    wait.refresh_from_db()
    assert (first, second, wait.result["event"]["text"]) == (True, False, "first")


def test_event_that_comes_while_its_run_goes_to_sleep_wakes_it(start, shop, clock):
    """The run wakes for another arm and sleeps again; the event is routed before that is stored."""
    run = advance(start("""
- parallel:
    left: [{wait: {event: message.text}}]
    right: [{wait: 1m}, {wait: 1h}]
""", event=make_event(shop)))
    clock.forward(minutes=2)
    queue.wake_due()
    [claim] = queue.claim("w1", limit=1)
    make_event(shop, routed_at=None)

    with transaction.atomic():
        runner.advance(claim)
        other = Elsewhere(routing.route)
        waited_for = other.waits_for()
    other.gives()

    run.refresh_from_db()
    assert (bool(waited_for), run.state) == (True, "queued")
    assert Wait.objects.get(kind="event").state == "settled"


OTHER = """\
omni: 1
id: other
trigger: [{manual: true}]
steps: [{set: {seen: true}}]
"""


def test_called_run_may_end_while_its_caller_is_canceled(start, shop):
    make_workflow(OTHER)
    caller = advance(start("- {call: {workflow: other}}", event=make_event(shop)))
    [claim] = queue.claim("w1", limit=1)

    with transaction.atomic():
        Run.objects.select_for_update().get(pk=caller.pk)
        other = Elsewhere(lambda: runner.advance(claim))
        waited_for = other.waits_for()
        canceled = endings.cancel([caller.pk], reason="canceled by user:ana")
    other.gives()

    assert waited_for and canceled == [caller.pk]
    assert {run.state for run in Run.objects.all()} == {"canceled"}


def test_of_two_people_who_save_at_once_the_second_is_told():
    workflow = make_workflow()
    mine, yours = (f"{GREETER}# {name}\n" for name in ("mine", "yours"))

    with transaction.atomic():
        drafts.save_draft(mine, actor="user:ana", base_revision=workflow.revision)
        other = Elsewhere(lambda: drafts.save_draft(yours, actor="user:bo",
                                                    base_revision=workflow.revision))
        assert other.waits_for()
    with pytest.raises(drafts.Stale):
        other.gives()

    workflow.refresh_from_db()
    assert workflow.draft == mine


def test_of_two_people_who_publish_at_once_the_second_is_told():
    workflow = make_workflow()
    base = drafts.save_draft(f"{GREETER}# more\n", actor="user:ana").revision

    def publish(actor):
        return publishing.publish(Workflow.objects.get(pk=workflow.pk), actor=actor,
                                  base_revision=base)

    with transaction.atomic():
        publish("user:ana")
        other = Elsewhere(lambda: publish("user:bo"))
        assert other.waits_for()
    with pytest.raises(drafts.Stale):
        other.gives()


def test_event_whose_commit_is_slow_comes_after_a_step_that_did_not_see_it(start, shop):
    """Its id is lower than that of an event that was there before the step."""
    run = start("- wait: {event: message.text, where: event.text != 'trigger'}",
                event=make_event(shop, text="trigger"))

    def begin():
        make_event(shop, text="there", routed_at=None)
        advance(run)

    with transaction.atomic():
        make_event(shop, text="slow", routed_at=None)
        Elsewhere(begin).gives()
    routing.route()

    run.refresh_from_db()
    assert (run.state, Wait.objects.get().result["event"]["text"]) == ("queued", "slow")


ASK = """
- approval: {ask: "Yes?", of: ["user:bo"], timeout: 2h, on_timeout: reject}
- set: {seen: true}
"""
CANCELS = {
    "cancel": lambda run: endings.cancel([run.pk], reason="canceled by user:bo"),
    "answer": lambda run: approvals.answer(Approval.objects.get(), "approve", actor="user:bo"),
}


@pytest.mark.parametrize("change", CANCELS.values(), ids=list(CANCELS))
def test_run_is_changed_by_one_at_a_time(start, shop, change):
    """Whoever holds a run may still write to what belongs to it: else both wait for each other."""
    run = advance(start(ASK, event=make_event(shop)))

    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)
        other = Elsewhere(lambda: change(run))
        assert other.waits_for()
        Approval.objects.select_for_update(nowait=True).get()
        Wait.objects.select_for_update(nowait=True).get()
    other.gives()

    run.refresh_from_db()
    assert run.state in ("queued", "canceled")


def test_answer_waits_for_the_runs_place_in_line(start, shop):
    run = advance(start(ASK, event=make_event(shop), slot_key="a"))

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(lambda: CANCELS["answer"](run))
        assert other.waits_for() == "advisory"
        Run.objects.select_for_update(nowait=True).get(pk=run.pk)
        new = make_run(make_event(shop), slot_key="a")
    other.gives()

    first, second = tickets(new, run)
    assert first < second


def test_of_two_answers_at_once_the_second_is_told(start, shop):
    advance(start(ASK, event=make_event(shop)))
    asked = Approval.objects.get()

    with transaction.atomic():
        approvals.answer(asked, "reject", actor="user:ana")
        other = Elsewhere(lambda: approvals.answer(
            Approval.objects.get(pk=asked.pk), "approve", actor="user:bo"))
        assert other.waits_for()
    with pytest.raises(InvalidInput, match="rejected already, by user:ana"):
        other.gives()


@pytest.mark.parametrize("mode", ["wait", "detach"])
def test_called_run_stands_behind_one_that_is_just_being_stored(start, shop, mode):
    other_flow = make_workflow(OTHER.replace("steps:", "concurrency: {limit: 1}\nsteps:"))
    run = start(f"- {{call: {{workflow: other, mode: {mode}}}}}", event=make_event(shop))
    key = gates.slot_of(other_flow.pk, matching.compiled(
        other_flow.latest().pk, other_flow.latest().text), run.event, {})[0]

    with transaction.atomic():
        queue.lock_slots([key])
        other = Elsewhere(lambda: advance(run))
        assert other.waits_for() == "advisory"
        new = make_run(make_event(shop), slot_key=key, workflow=other_flow)
    other.gives()

    first, second = tickets(new, Run.objects.get(parent=run))
    assert first < second


def test_end_of_a_called_run_waits_for_its_callers_place_in_line(start, shop):
    make_workflow(OTHER)
    caller = advance(start("- {call: {workflow: other}}", event=make_event(shop), slot_key="a"))
    child = Run.objects.get(parent=caller)

    with transaction.atomic():
        queue.lock_slots(["a"])
        other = Elsewhere(lambda: endings.cancel([child.pk], reason="canceled by user:bo"))
        assert other.waits_for() == "advisory"
        Run.objects.select_for_update(nowait=True).get(pk=child.pk)  # else both would wait
        new = make_run(make_event(shop), slot_key="a")
    other.gives()

    first, second = tickets(new, caller)
    assert first < second
