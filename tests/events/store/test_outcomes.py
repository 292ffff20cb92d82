"""Outcomes are appended in order, once per attempt, and only behind what guards them."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from connections.models import Instance
from events.models import EventAction
from events.store import outcomes
from tests.factories import make_event, make_instance
from tests.statements_sent import counted

pytestmark = pytest.mark.django_db
RENAME = "UPDATE omni_instances SET name = %s WHERE slug = %s"


@pytest.fixture
def event():
    return make_event(make_instance())


def outcome(event, path, **fields):
    """What a step of run 7 came to, not stored yet."""
    now = timezone.now()
    return EventAction(**{
        "instance_id": event.instance_id, "event_id": event.pk, "run_id": 7, "workflow": "greet",
        "path": path, "step_kind": "set", "status": "done", "started_at": now, "ended_at": now,
        "duration_ms": 1.5, **fields})


def paths(run_id=7, **options):
    return [(row.path, row.iteration) for row in outcomes.recorded(run_id, **options)]


def test_outcomes_are_kept_in_the_order_they_came_to_in_one_statement(
        event, django_assert_num_queries):
    rows = [outcome(event, f"steps[{number}]") for number in (2, 0, 1)]

    with django_assert_num_queries(1):
        outcomes.record(rows)

    assert paths() == [("steps[2]", ""), ("steps[0]", ""), ("steps[1]", "")]


def test_nothing_to_record_costs_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        outcomes.record([])


def test_outcome_is_kept_as_it_was(event):
    facts = {"attempt": 3, "step_id": "ask", "action": "route.reply", "status": "failed",
             "code": "timeout", "reason": "it took too long", "input": {"text": "olá"},
             "output": {"parts": [1, None]}, "final": False, "token": 4, "iteration": "2.0"}

    outcomes.record([outcome(event, "steps[0]", **facts)])

    [row] = outcomes.recorded(7)
    assert {name: getattr(row, name) for name in facts} == facts
    assert (row.event, row.instance_id, row.duration_ms) == (event, event.instance_id, 1.5)


def test_text_that_cannot_be_stored_does_not_lose_the_outcome(event):
    outcomes.record([outcome(event, "steps[0]", reason="a\x00b", output={"text": "\ud800"})])

    [row] = outcomes.recorded(7)
    assert row.reason == "a\ufffdb" and row.output == {"text": "\ufffd"}


def test_attempt_that_is_there_already_is_refused_with_all_that_came_with_it(event):
    outcomes.record([outcome(event, "steps[0]")])

    with pytest.raises(IntegrityError), transaction.atomic():
        outcomes.record([outcome(event, "steps[1]"), outcome(event, "steps[0]")])

    assert paths() == [("steps[0]", "")]


@pytest.mark.parametrize(("slug", "held"), [("shop", True), ("nowhere", False)])
def test_outcomes_behind_a_change_are_kept_only_with_it(event, slug, held):
    with counted() as sent:
        did = outcomes.record_behind(RENAME, ["New", slug], [outcome(event, "steps[1]"),
                                                             outcome(event, "steps[0]")])

    assert sent.statements == 1
    assert did is held and paths() == [("steps[1]", ""), ("steps[0]", "")] * held
    assert Instance.objects.filter(name="New").exists() is held


def test_change_without_outcomes_is_made_as_well(event):
    assert outcomes.record_behind(RENAME, ["New", "shop"], []) and paths() == []
    assert Instance.objects.get().name == "New"


def test_copies_are_of_another_run_and_else_the_same(event):
    outcomes.record([outcome(event, "steps[0]", output={"n": 1}, step_id="a")])

    outcomes.copy(outcomes.recorded(7), to_run=8)

    [first], [second] = outcomes.recorded(7), outcomes.recorded(8)
    assert (second.run_id, second.output, second.step_id, second.started_at) == (
        8, {"n": 1}, "a", first.started_at)


def test_earlier_turns_of_a_loop_are_left_out_and_nothing_else(event):
    turns = [("steps[0].do[0]", str(turn)) for turn in range(12)]
    inner = ("steps[0].do[1].do[0]", "11.0")
    others = [("steps[0]", ""), ("steps[01].do[0]", "0"), ("steps[1]", "")]
    outcomes.record([outcome(event, path, iteration=turn)
                     for path, turn in [*turns, inner, *others]])

    assert paths(behind={"steps[0]": 9}) == [*turns[9:], inner, *others]
    assert paths() == [*turns, inner, *others]
