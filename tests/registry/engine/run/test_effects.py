"""What a run writes around an effect: few statements, each behind the fence."""

import hashlib
import threading
from datetime import timedelta

import pytest
from psycopg import BaseConnection
from psycopg._cursor_base import BaseCursor

from actions.base import done
from connections.envelope import OutboundMessage
from events.models import Event, EventAction, OutboxMessage
from omni import failpoints
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import Run
from tests.factories import make_conversation, make_event, make_instance, make_run
from tests.registry.runs import advance, forward, outcomes

VISITOR = "v_" + "0" * 22
TWO = "- {id: first, uses: custom.change}\n- {uses: custom.send, with: {say: '${{ event.text }}'}}"


def says(text="hi", **more):
    def send(event, context):
        message = OutboundMessage(kind="text", to=event.conversation_ref, text=text)
        return done(state=context.deliver(message, context.effect(0), **more).state)

    return send


@pytest.fixture
def chat(db):
    """A text in the web chat, where a send makes no call out."""
    shop = make_instance(provider="webchat")
    place = make_conversation(shop, VISITOR)
    return make_event(shop, conversation=place, conversation_ref=place.ref, direction="inbound")


@pytest.fixture
def written(monkeypatch):
    """What this thread asks the database to change, below Django; begins and commits as well."""
    log, me = [], threading.current_thread()
    execute, command = BaseCursor._execute_gen, BaseConnection._exec_command

    def counted(self, query, *args, **options):
        text = " ".join(str(query).split())
        if threading.current_thread() is me and not text.startswith(("SELECT", "SAVEPOINT",
                                                                     "RELEASE")):
            log.append(text)
        return execute(self, query, *args, **options)

    def told(self, text, *args, **options):
        log.append(str(text))
        return command(self, text, *args, **options)

    monkeypatch.setattr(BaseCursor, "_execute_gen", counted)
    monkeypatch.setattr(BaseConnection, "_exec_command", told)
    return log


@pytest.mark.django_db(transaction=True)
def test_run_of_two_effects_is_three_statements(start, probe, written, settings):
    settings.OMNI_GROUP_COMMIT = True  # notes have a thread of their own
    shop = make_instance(provider="webchat")
    place = make_conversation(shop, VISITOR)
    event = make_event(shop, conversation=place, conversation_ref=place.ref, direction="inbound")
    probe.answers = [done(), says()]
    run = start(TWO, event=event)

    written.clear()
    advance(run)

    begun, ended, over = [text for text in written if text.startswith("WITH")
                          and not text.startswith("WITH RECURSIVE")]
    assert not [text for text in written if text.startswith("INSERT")]
    assert "omni_outbox" in begun and "step_path" in begun and "omni_event_actions" in begun
    assert "omni_outbox" in ended and "omni_events" in ended
    assert "ended_at" in over and "omni_event_actions" in over
    assert run.state == "done" and OutboxMessage.objects.get().state == "succeeded"
    assert Event.objects.get(direction="outbound").client_ref == OutboxMessage.objects.get(
        ).effect_key


@pytest.mark.django_db
def test_run_that_was_taken_over_begins_no_send(start, probe, chat):
    def lose(event, context):
        Run.objects.update(token=99, lease_owner="w2")
        return says()(event, context)

    probe.answers = [done(), lose]
    run = advance(start(TWO, event=chat))

    assert (run.state, run.token) == ("running", 99)
    assert OutboxMessage.objects.count() == 0 and outcomes(run) == []


@pytest.mark.django_db
def test_send_whose_run_is_taken_over_meanwhile_still_has_its_outcome(start, probe, chat,
                                                                     monkeypatch):
    def lose(name, reached=failpoints.hit):
        if name == "call.answered":
            Run.objects.update(token=99, lease_owner="w2")
        reached(name)

    monkeypatch.setattr(failpoints, "hit", lose)
    probe.answers = [done(), says()]
    run = advance(start(TWO, event=chat))

    row = OutboxMessage.objects.get()
    assert (row.state, row.event.direction) == ("succeeded", "outbound")
    assert (run.state, outcomes(run)) == ("running", [("steps[0]", 1, "done")])


@pytest.mark.django_db
def test_outcomes_are_stored_also_when_the_send_is_held(start, probe, chat, settings):
    settings.OMNI_SENDS_PER_PERSON = 1
    probe.answers = [done(), says()]
    advance(start("- {uses: custom.change}\n- {uses: custom.send}", event=chat))
    probe.answers = [done(), says("again")]

    run = advance(start(TWO.replace("first", "other"), event=make_event(
        chat.instance, conversation=chat.conversation, conversation_ref=VISITOR)))

    assert run.state == "queued" and "OMNI_SENDS_PER_PERSON" in run.reason
    assert outcomes(run) == [("steps[0]", 1, "done")] and run.step_path == "steps[1]"
    assert 50 < (run.available_at - run.started_at).total_seconds() < 61


@pytest.mark.django_db
def test_account_that_is_off_sends_nothing_and_keeps_what_was_done(start, probe, chat):
    def switch_off(event, context):
        event.instance.enabled = False
        event.instance.save()
        return done()

    probe.answers = [switch_off, says()]
    run = advance(start(TWO, event=chat))

    assert (run.state, run.code) == ("failed", "instance_off")
    assert OutboxMessage.objects.count() == 0
    assert EventAction.objects.filter(run_id=run.pk, path="steps[0]", status="done").exists()


@pytest.mark.django_db
def test_echo_that_was_first_is_the_event_of_the_send(start, probe, chat, monkeypatch):
    def echo(name, reached=failpoints.hit):
        if name == "call.answered":
            sent = OutboxMessage.objects.get()
            number = hashlib.sha256(sent.effect_key.encode()).hexdigest()[:32]
            make_event(chat.instance, direction="outbound", conversation=chat.conversation,
                       conversation_ref=VISITOR, dedup_key=f"m:{VISITOR}:{number}", text="hi")
        reached(name)

    monkeypatch.setattr(failpoints, "hit", echo)
    probe.answers = [done(), says()]
    run = advance(start(TWO, event=chat))

    found = Event.objects.get(direction="outbound")
    assert run.state == "done" and OutboxMessage.objects.get().event == found
    assert found.client_ref == OutboxMessage.objects.get().effect_key


@pytest.mark.django_db
def test_held_run_is_walked_once_more_at_a_moment_of_its_own(start, probe, chat, settings):
    """40 runs at 10 a minute take three minutes, and are no herd."""
    settings.OMNI_SENDS_PER_MINUTE, settings.OMNI_SENDS_PER_PERSON = 10, 0
    probe.answers = [says()] * 100
    text = start("- {uses: custom.send}", event=chat).workflow
    for number in range(1, 40):
        place = make_conversation(chat.instance, f"v_{number:022}")
        make_run(make_event(chat.instance, conversation=place, conversation_ref=place.ref),
                 workflow=text)

    walks = 0
    while waiting := list(Run.objects.filter(state="queued").order_by("available_at")[:1]):
        forward(waiting[0].available_at)
        while claims := queue.claim("w1", limit=1):
            runner.advance(claims[0])
            walks += 1

    begun = sorted(OutboxMessage.objects.values_list("started_at", flat=True))
    assert len(begun) == 40 == Run.objects.filter(state="done").count()
    assert all(later - earlier >= timedelta(minutes=1)
               for earlier, later in zip(begun, begun[10:], strict=False))
    assert begun[-1] - begun[0] < timedelta(minutes=3, seconds=5)
    assert walks == 40 + 30
