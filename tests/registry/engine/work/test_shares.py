"""What one account does holds up no run of another: workers, routers and heartbeats go on."""

import threading

import pytest
from django.db import connection, transaction

from actions.base import done
from connections.models import Instance
from registry.engine.work import chores, drain, leases, queue
from registry.engine.work.drain import Drain
from registry.models import Run, Worker
from tests.factories import make_conversation, make_event, make_instance, switch_on
from tests.two_connections import Elsewhere
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
LOOK = """\
omni: 1
id: looker
trigger: [{event: message.text}]
steps: [{uses: custom.look, with: {say: "${{ event.text }}"}}]
"""
SENDER = """\
omni: 1
id: sender
trigger: [{event: message.text}]
steps: [{uses: custom.send}]
"""


@pytest.fixture
def may_end():
    """Set when runs that hang may go on."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def turn(settings, monkeypatch, may_end):
    """Begins turns of workers, each in a thread."""
    settings.OMNI_WORKERS = 2
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(drain, "WAIT_SECONDS", 0.1)
    drain.STOP.value = 0
    begun = []

    def begin(**options):
        one = Drain(**{"threads": 2, **options})
        begun.append(Elsewhere(one.run))
        return one, begun[-1]

    yield begin
    may_end.set()
    drain.STOP.value = 1
    for one in begun:
        one.gives()
    drain.STOP.value = 0


def come(shop, text="hello", **fields):
    return make_event(shop, text=text, routed_at=None, **fields)


def hang(probe, may_end, at="slow"):
    """The action blocks on events of this text; gives the texts it was called with so far."""
    def answer(event, context):
        if event.text == at:
            assert may_end.wait(30)

    probe.answers = _Always(answer)
    return probe.calls


class _Always(list):
    """The same answer every time; it gives nothing of its own."""

    def __init__(self, answer):
        super().__init__([answer])

    def pop(self, _index=-1):
        def answer(event, context):
            self[0](event, context)
            return done(said=event.text)

        return answer


def states(instance):
    return list(Run.objects.filter(instance=instance).values_list("state", flat=True))


def test_stranger_is_served_while_all_runs_of_an_account_hang(turn, probe, may_end):
    calls = hang(probe, may_end)
    switch_on(LOOK)
    shop, stranger = make_instance(), make_instance("stranger")
    one, _ = turn(threads=8, share=0.5)
    for _ in range(30):
        come(shop, "slow")
    assert until(lambda: calls.count("slow") == 4)

    come(stranger, "quick")

    assert until(lambda: states(stranger) == ["done"])
    assert calls.count("slow") == 4 and "done" not in states(shop)
    assert one.pool.busy()[shop.pk] == 4
    may_end.set()
    assert until(lambda: states(shop) == ["done"] * 30)


def test_step_longer_than_a_turn_is_done_once_and_others_go_on_meanwhile(
        turn, probe, may_end, settings, monkeypatch):
    settings.OMNI_WORKERS = 1
    calls = hang(probe, may_end)
    switch_on(LOOK)
    shop = make_instance()
    monkeypatch.setattr(drain, "TURN_SECONDS", 0.2)
    _, ends = turn()
    come(shop, "slow")
    assert until(lambda: calls == ["slow"])
    assert until(lambda: _slots_held() == 0)  # the turn is over

    monkeypatch.setattr(drain, "TURN_SECONDS", 3600.0)
    second, _ = turn()
    assert until(lambda: Worker.objects.filter(owner=second.owner).exists())
    come(shop, "quick")

    assert until(lambda: sorted(states(shop)) == ["done", "running"])
    may_end.set()
    ends.gives()
    assert until(lambda: states(shop) == ["done", "done"])
    assert calls == ["slow", "quick"]
    assert set(Run.objects.values_list("token", "deaths")) == {(1, 0)}


def test_heartbeat_goes_on_while_the_router_waits_for_a_lock(turn, probe, monkeypatch):
    """Longer than a lease; nothing it has is taken for lost."""
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.05)
    switch_on(SENDER)
    shop = make_instance()
    place = make_conversation(shop)
    one, _ = turn()
    come(shop, conversation=place, conversation_ref=place.ref)
    assert until(lambda: states(shop) == ["done"])
    key = Run.objects.get().slot_key

    with transaction.atomic():
        queue.lock_slots([key])
        come_elsewhere = Elsewhere(lambda: come(
            Instance.objects.get(), conversation=place, conversation_ref=place.ref))
        come_elsewhere.gives()
        assert until(_waits_for_us)
        before = Worker.objects.get(owner=one.owner).until

        assert until(lambda: Worker.objects.get(owner=one.owner).until > before)
    assert until(lambda: states(shop) == ["done", "done"])


def _waits_for_us():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                       "AND NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone()[0]


def _slots_held():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                       "AND classid = %s AND database = (SELECT oid FROM pg_database "
                       "WHERE datname = current_database())", [drain.LOCK_CLASS])
        return cursor.fetchone()[0]
