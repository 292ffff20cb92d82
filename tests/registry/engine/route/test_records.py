"""What routing came to is stored in one statement: runs, decisions, marks."""

import pytest

from events.models import InboxEntry
from omni import statements
from registry.engine.route import records, routing
from registry.models import RoutingDecision, Run
from tests.factories import (
    GREETER,
    TIDY,
    make_conversation,
    make_event,
    make_instance,
    make_run,
    switch_on,
)

pytestmark = pytest.mark.django_db
SENDER = """\
omni: 1
id: sender
trigger: [{event: message.text}]
steps: [{uses: route.reply, with: {text: hi}}]
"""
BURST = """\
omni: 1
id: burst
trigger: [{event: message.text}]
debounce: {quiet: 5s, key: event.instance_id}
steps: [{set: {a: 1}}]
"""


class Hands:
    """A worker with this many free threads."""

    owner = "w9"

    def __init__(self, threads):
        self.threads, self.begun, self.kept = threads, [], 0

    def reserve(self, instance_id):
        if self.kept + len(self.begun) >= self.threads:
            return False
        self.kept += 1
        return True

    def give_back(self, instance_id):
        self.kept -= 1

    def begin(self, claim, run=None, *, reserved=False):
        self.kept -= reserved
        self.begun.append((claim, run))


@pytest.fixture
def shop():
    return make_instance()


def come(shop, count=1, **fields):
    return [make_event(shop, **{"routed_at": None, **fields}) for _ in range(count)]


def verdicts():
    """{event id: [(workflow, result, run id)]}"""
    return {row.event_id: [(verdict["workflow"], verdict["result"], verdict.get("run_id"))
                           for verdict in row.considered]
            for row in RoutingDecision.objects.all()}


def run_of(event, slug="greeter"):
    return Run.objects.get(event=event, workflow__slug=slug)


def test_run_that_begins_at_once_is_at_work_under_its_first_token(shop):
    switch_on()
    [event] = come(shop)
    hands = Hands(1)

    routing.route(hands=hands)

    run = run_of(event)
    assert (run.state, run.token, run.lease_owner, run.deaths) == ("running", 1, "w9", 0)
    assert run.lease_until > run.started_at == run.created_at
    [(claim, known)] = hands.begun
    assert (claim.run_id, claim.token, claim.instance_id) == (run.pk, 1, shop.pk)
    assert (known.pk, known.event_id, known.token) == (run.pk, event.pk, 1)
    assert hands.kept == 0


def test_run_in_memory_is_the_one_that_was_stored(shop):
    """But for what nobody reads of it, and its lease."""
    switch_on(SENDER)
    come(shop, conversation=make_conversation(shop))
    hands = Hands(1)

    routing.route(hands=hands)

    [(_, known)] = hands.begun
    stored = Run.objects.get()
    names = [field.attname for field in Run._meta.concrete_fields
             if field.attname not in ("lease_owner", "lease_until", "ticket")]
    assert {name: getattr(known, name) for name in names} == {
        name: getattr(stored, name) for name in names}


def test_run_that_must_stand_in_line_is_blocked_and_nobody_has_begun_it(shop):
    switch_on(SENDER)
    place = make_conversation(shop)
    first, second = come(shop, 2, conversation=place, conversation_ref=place.ref)
    hands = Hands(5)

    routing.route(hands=hands)

    ahead, behind = run_of(first, "sender"), run_of(second, "sender")
    assert [claim.run_id for claim, _ in hands.begun] == [ahead.pk] and hands.kept == 0
    assert (behind.state, behind.token, behind.lease_owner) == ("blocked", 0, "")
    assert behind.lease_until is None and behind.started_at is None


def test_run_without_a_free_thread_is_queued(shop):
    switch_on()
    first, second = come(shop, 2)

    routing.route(hands=Hands(1))

    assert run_of(first).state == "running"
    assert (run_of(second).state, run_of(second).token) == ("queued", 0)


def test_threads_kept_for_runs_that_were_not_stored_are_given_back(shop, monkeypatch):
    switch_on()
    come(shop, 2)
    hands = Hands(5)

    def fail(*asked, **options):
        raise ZeroDivisionError("bug")

    monkeypatch.setattr(routing.gates, "follow_up", fail)
    routing.route(hands=hands)

    assert (hands.kept, hands.begun) == (0, []) and not Run.objects.exists()


def test_decision_names_the_runs_it_opened_and_those_it_joined(shop):
    switch_on(BURST)
    switch_on()
    first, second = come(shop, 2)
    routing.route()
    [third] = come(shop)
    routing.route()

    burst = Run.objects.get(workflow__slug="burst")
    said = {event_id: sorted(rows) for event_id, rows in verdicts().items()}
    assert said == {
        first.pk: [("burst", "matched", burst.pk), ("greeter", "matched", run_of(first).pk)],
        second.pk: [("burst", "joined", burst.pk), ("greeter", "matched", run_of(second).pk)],
        third.pk: [("burst", "joined", burst.pk), ("greeter", "matched", run_of(third).pk)]}
    assert set(RoutingDecision.objects.values_list("matched", flat=True)) == {2}


def test_event_that_has_a_run_already_opens_no_second_one_and_the_others_theirs(shop):
    workflow = switch_on()
    known, new = come(shop, 2)
    run = make_run(known, workflow=workflow, state="done")
    hands = Hands(5)

    assert routing.route(hands=hands) == 2

    assert list(Run.objects.filter(event=known)) == [run]
    assert [claim.run_id for claim, _ in hands.begun] == [run_of(new).pk] and hands.kept == 0
    assert verdicts()[known.pk] == [("greeter", "matched", None)]


def test_batch_is_stored_in_one_statement_and_nothing_waits_any_more(shop, monkeypatch):
    for text in (GREETER, TIDY, SENDER):
        switch_on(text)
    come(shop, 6)
    stored, real = [], statements.execute

    def execute(sql, parameters=()):
        stored.append(sql)
        return real(sql, parameters)

    monkeypatch.setattr(records.statements, "execute", execute)
    assert routing.route() == 6

    assert stored.count(records._STORE) == 1
    assert not InboxEntry.objects.exists() and Run.objects.count() == 18
    assert set(verdicts()) == set(Run.objects.values_list("event_id", flat=True))
