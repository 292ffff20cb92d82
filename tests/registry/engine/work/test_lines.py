"""Runs in line: who is in, who is next, and what lets the next one on."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from connections.models import Instance
from events.models import Conversation
from registry.engine.route import routing
from registry.engine.waits import endings
from registry.engine.work import lines, queue
from registry.models import Run, Workflow, WorkflowVersion
from tests.factories import (
    GREETER,
    make_conversation,
    make_event,
    make_instance,
    make_run,
    make_workflow,
    switch_on,
)

pytestmark = pytest.mark.django_db
SENDER = """\
omni: 1
id: sender
trigger: [{event: message.text}]
steps: [{uses: route.reply, with: {text: hi}}]
"""


class Line:
    """Runs of one event and one workflow, by the order in which they came."""

    def __init__(self, workflow=None):
        self.workflow = workflow or make_workflow()
        self.event = make_event(Instance.objects.first() or make_instance())
        self.version = WorkflowVersion.objects.filter(workflow=self.workflow).latest("number")
        self.runs = []

    def enter(self, count=1, *, key="a", limit=1, **fields):
        now = timezone.now()
        made = [Run.objects.create(**{
            "instance_id": self.event.instance_id, "event": self.event, "workflow": self.workflow,
            "version": self.version, "replay_no": len(self.runs) + number, "slot_key": key,
            "slot_limit": limit, "available_at": now, "created_at": now, **fields})
            for number in range(count)]
        self.runs += made
        return made

    def states(self):
        return " ".join(run.state for run in Run.objects.order_by("id"))


@pytest.fixture
def line():
    return Line()


def begin(count=1):
    """The runs that are claimed, at work now."""
    return [Run.objects.get(pk=claim.run_id) for claim in queue.claim("w1", limit=count)]


def to(state):
    def leave(run):
        Run.objects.filter(pk=run.pk).update(state=state)
    return leave


def die(run, deaths=0):
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1),
                                         deaths=deaths)
    endings.sweep()


@pytest.mark.parametrize(("limit", "states"), [
    (1, "queued blocked blocked blocked blocked"), (3, "queued queued queued blocked blocked")])
def test_as_many_as_the_limit_are_ready_and_the_others_stand_in_line(line, limit, states):
    line.enter(5, limit=limit)

    assert line.states() == states


def test_run_that_would_begin_at_once_stands_in_line_as_if_nobody_had_begun_it(line):
    line.enter()
    line.enter(state="running", token=1, lease_owner="w1", lease_until=timezone.now(),
               started_at=timezone.now())

    second = Run.objects.get(pk=line.runs[1].pk)
    assert (second.state, second.token, second.lease_owner) == ("blocked", 0, "")
    assert second.lease_until is None and second.started_at is None


def test_lines_of_two_keys_and_runs_without_one_know_nothing_of_each_other(line):
    line.enter(key="a")
    line.enter(key="b")
    line.enter(2, key=None)

    assert line.states() == "queued queued queued queued"


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("leave", [
    to("done"), to("waiting"), lambda run: endings.cancel([run.pk], reason="test"),
    lambda run: die(run, deaths=2)], ids=["end", "suspend", "cancel", "dead"])
def test_next_by_ticket_is_ready_when_one_leaves(line, limit, leave):
    line.enter(limit + 2, limit=limit)
    first = begin(limit)[0]

    leave(first)

    states = [run.state for run in Run.objects.order_by("id")][limit:]
    assert states == ["queued", "blocked"]


def test_run_that_leaves_unbegun_lets_the_next_on(line):
    line.enter(3)

    endings.cancel([line.runs[0].pk], reason="test")

    assert line.states() == "canceled queued blocked"


def test_run_in_line_that_is_canceled_leaves_the_others_where_they_are(line):
    line.enter(3)

    endings.cancel([line.runs[1].pk], reason="test")

    assert line.states() == "queued canceled blocked"


def test_runs_that_leave_together_let_as_many_on(line):
    line.enter(5, limit=2)

    endings.cancel([run.pk for run in line.runs[:2]], reason="test")

    assert line.states() == "canceled canceled queued queued blocked"


@pytest.mark.parametrize("keep", [to("queued"), die], ids=["retry", "death"])
def test_run_that_is_tried_again_keeps_its_place(line, keep):
    line.enter(2)
    [first] = begin()

    keep(first)

    assert line.states() == "queued blocked"


def test_run_that_wakes_draws_a_new_place(line):
    line.enter(3)
    [first] = begin()
    to("waiting")(first)

    queue.wake([first.pk])

    assert line.states() == "blocked queued blocked"
    endings.cancel([line.runs[1].pk], reason="test")
    assert line.states() == "blocked canceled queued"


def test_run_that_wakes_in_an_empty_line_is_ready(line):
    line.enter()
    [first] = begin()
    to("waiting")(first)

    queue.wake([first.pk])

    assert line.states() == "queued"


def test_line_of_a_merged_conversation_is_the_line_of_the_kept_one_by_tickets():
    switch_on(SENDER)
    shop = make_instance()
    kept, old = (make_conversation(shop, ref) for ref in ("kept", "old"))

    def come(place):
        event = make_event(shop, conversation=place, conversation_ref=place.ref, routed_at=None)
        routing.route()
        return Run.objects.get(event=event)

    at_work = come(old)
    begin()
    in_old, in_kept, last_of_old = come(old), come(kept), come(old)
    Conversation.objects.filter(pk=old.pk).update(merged_into=kept)

    newest = come(old)

    found = list(Run.objects.order_by("ticket").values_list("pk", "slot_key", "state"))
    one = in_kept.slot_key
    assert found == [(at_work.pk, at_work.slot_key, "running"), (in_old.pk, one, "blocked"),
                     (in_kept.pk, one, "queued"), (last_of_old.pk, one, "blocked"),
                     (newest.pk, one, "blocked")]
    endings.cancel([in_kept.pk], reason="test")
    assert Run.objects.get(pk=in_old.pk).state == "queued"


def mode(line, mode):
    Workflow.objects.filter(pk=line.workflow.pk).update(mode=mode)


def test_resumed_workflow_lets_on_what_its_slots_have_room_for(line):
    """More than are moved at once, in many lines and in none."""
    mode(line, "paused")
    first = Run(instance_id=line.event.instance_id, event=line.event, workflow=line.workflow,
                version=line.version, available_at=timezone.now(), created_at=timezone.now())
    fields = {name: getattr(first, name) for name in (
        "instance_id", "event", "workflow", "version", "available_at", "created_at")}
    Run.objects.bulk_create([
        Run(**fields, state="blocked", replay_no=number, slot_limit=2,
            slot_key=None if number % 6 else f"k{number % 4}") for number in range(600)])
    mode(line, "on")

    moved = lines.let_on(line.workflow.pk)

    queued = Run.objects.filter(state="queued")
    assert moved == queued.count() == 500 + 2 * 2
    assert queued.filter(slot_key="k0").count() == queued.filter(slot_key="k2").count() == 2


def test_paused_workflow_has_nothing_that_can_be_claimed(line):
    line.enter(3, limit=2)
    line.enter(key=None)
    [at_work] = begin()
    mode(line, "paused")

    lines.hold_back(line.workflow.pk)

    assert Run.objects.get(pk=at_work.pk).state == "running"
    assert not Run.objects.filter(state="queued").exists()


def test_end_of_a_run_of_a_paused_workflow_lets_nobody_on(line):
    line.enter(2)
    [first] = begin()
    mode(line, "paused")

    to("done")(first)

    assert line.states() == "done blocked"


def test_mend_lets_on_what_stands_in_line_for_no_reason(line):
    line.enter(2, state="blocked")
    line.enter(key=None, state="blocked")
    paused = Line(make_workflow(GREETER.replace("greeter", "other")))
    make_run(paused.event, workflow=paused.workflow, state="blocked")
    mode(paused, "paused")

    moved = lines.mend()

    assert moved == 2 and line.states() == "queued blocked queued blocked"
    assert lines.mend() == 0


class Walk:
    """A random life of three lines: what may happen to runs happens, in any order."""

    LIMITS = {"a": 1, "b": 2, "c": 3}

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = [Line(), Line(make_workflow(GREETER.replace("greeter", "other")))]
        self.of = {"a": self.lines[0], "b": self.lines[1], "c": self.lines[0]}
        self.paused = set()
        self.said = []

    def some(self, *states, most=1):
        found = list(Run.objects.filter(state__in=states).order_by("id"))
        return self.random.sample(found, min(len(found), self.random.randint(1, most)))

    def insert(self):
        key = self.random.choice("abc")
        self.of[key].enter(key=key, limit=self.LIMITS[key],
                           state=self.random.choice(["queued", "running"]))

    def claim(self):
        begin(self.random.randint(1, 3))

    def suspend(self):
        for run in self.some("running"):
            to("waiting")(run)

    def keep_place(self):
        for run in self.some("running"):
            to("queued")(run)

    def wake(self):
        queue.wake([run.pk for run in self.some("waiting", most=3)])

    def end(self):
        for run in self.some("running"):
            to("done")(run)

    def cancel(self):
        endings.cancel([run.pk for run in self.some(
            "queued", "blocked", "running", "waiting", most=3)], reason="test")

    def die(self):
        for run in self.some("running"):
            die(run, deaths=self.random.randint(0, 2))

    def pause(self):
        line = self.random.choice(self.lines)
        self.paused.add(line.workflow.pk)
        mode(line, "paused")
        lines.hold_back(line.workflow.pk)

    def resume(self):
        for id in sorted(self.paused):
            Workflow.objects.filter(pk=id).update(mode="on")
            lines.let_on(id)
        self.paused.clear()

    def step(self):
        act = self.random.choice([
            self.insert, self.insert, self.insert, self.claim, self.claim, self.suspend,
            self.keep_place, self.wake, self.end, self.cancel, self.die, self.pause, self.resume,
            self.resume])
        self.said.append(act.__name__)
        act()

    def check(self):
        for key, limit in self.LIMITS.items():
            found = list(Run.objects.filter(slot_key=key).order_by("ticket").values_list(
                "state", flat=True))
            held = [state for state in found if state in ("queued", "running")]
            line = [state for state in found if state in ("queued", "running", "blocked")]
            is_paused = self.of[key].workflow.pk in self.paused
            assert len(held) <= limit, (key, line, self.said)
            if not is_paused:
                assert "blocked" not in line or len(held) == limit, (key, line, self.said)
                assert "blocked" not in line[:len(held)], (key, line, self.said)


@pytest.mark.parametrize("seed", range(12))
def test_lines_hold_whatever_happens_to_runs_in_whatever_order(seed):
    walk = Walk(seed)

    for _ in range(100):
        walk.step()
        walk.check()
