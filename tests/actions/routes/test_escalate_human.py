import pytest
from django.db import DatabaseError
from pydantic import ValidationError

from actions.models import Task
from actions.routes.escalate_human import EscalateParams, escalate
from events.models import Event


def hand_over(event, context, **params):
    return escalate(event, EscalateParams(**{"queue": "sales", **params}), context)


def test_task_says_where_it_comes_from(say, context, ana, chat):
    event = say("I want to cancel")

    outcome = hand_over(event, context, note="wants to cancel\nsince May", priority="high")

    task = Task.objects.get()
    assert outcome.output == {"task_id": task.pk, "queue": "sales"}
    assert (task.kind, task.queue, task.priority, task.state) == (
        "escalation", "sales", "high", "open")
    assert (task.title, task.note) == ("wants to cancel", "wants to cancel\nsince May")
    assert (task.event, task.conversation, task.contact, task.run_id) == (event, chat, ana, 1)


def test_workflows_can_be_woken_by_a_task_and_not_for_ever(say, context):
    event = say()

    task_id = hand_over(event, context, note="look").output["task_id"]

    told = Event.objects.get(event_type="system.task.created")
    assert told.dedup_key == f"task:{task_id}:created"
    assert told.content == {"task": task_id, "kind": "escalation", "queue": "sales",
                            "priority": "normal", "note": "look", "event": event.pk}
    assert (told.direction, told.auto_generated, told.hop) == ("internal", True, event.hop + 1)
    assert (told.conversation, told.caused_by) == (event.conversation, event)


def test_step_that_is_done_again_makes_one_task_and_one_event(say, context):
    event = say()

    first, again = hand_over(event, context), hand_over(event, context, note="again")

    assert first.output == again.output
    assert Task.objects.count() == 1
    assert Event.objects.filter(event_type="system.task.created").count() == 1


def test_task_and_its_event_are_stored_together_or_not_at_all(say, context, monkeypatch):
    event = say()

    def broken(units):
        raise DatabaseError("gone")

    monkeypatch.setattr("events.store.ingest.persist", broken)
    with pytest.raises(DatabaseError):
        hand_over(event, context)

    assert not Task.objects.exists()


@pytest.mark.parametrize("note", [None, "", "  "])
def test_task_without_a_note_is_named_after_the_event(say, context, note):
    hand_over(say(), context, note=note)

    assert Task.objects.get().title == "message.text of Ana"


def test_long_or_odd_note_does_not_stop_an_escalation(say, context):
    hand_over(say(), context, note="a\x00\ud800" + "b" * 70_000)

    task = Task.objects.get()
    assert (len(task.note), len(task.title)) == (8000, 120)


def test_event_of_nobody_and_nowhere_can_be_handed_over(say, context):
    outcome = hand_over(say(None, contact=None, conversation=None, sender_name=""), context)

    assert outcome.status == "done"


@pytest.mark.parametrize("wrong", [{"queue": ""}, {"queue": "two words"}, {"queue": "a" * 64},
                                   {"priority": "now"}])
def test_wrong_queue_or_priority_is_refused(wrong):
    with pytest.raises(ValidationError):
        EscalateParams(**{"queue": "sales", **wrong})
