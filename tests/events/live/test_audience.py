"""Who is asked about an event: only those that could want it, each filter once."""

import pytest

from events.live.audience import Audience, Interest
from events.live.subscriptions import Filter, Item, Signal, Subscription


def event(number=1, instance=1, *, ref="v1", places=(1,), text="{}"):
    return Item("event", number, instance, "message.text", "inbound", places, ref, text)


def run(number=1, instance=1):
    return Item("run", number, instance, "message.text", "inbound", (1,), "v1", "{}")


def join(audience, **wanted):
    subscription = Subscription(Filter(**wanted), after=0)
    audience.add(subscription)
    return subscription


def given(subscription):
    """Ids of what was offered."""
    found = []
    while not subscription._queue.empty():
        found += [item.id for item in subscription._queue.get_nowait().items]
    return found


@pytest.fixture
def asked(monkeypatch):
    """Filters that were asked about a row."""
    found, wants = [], Filter.wants
    monkeypatch.setattr(Filter, "wants", lambda wanted, item: (
        found.append(wanted), wants(wanted, item))[1])
    return found


def test_event_of_one_visitor_asks_none_of_two_thousand_others(asked):
    audience = Audience()
    visitors = [join(audience, instance_ids=frozenset([number % 20]),
                     conversation_ref=f"v{number}", rows=False, runs=False)
                for number in range(2000)]

    audience.hand_out([event(number, number % 20, ref=f"v{number}") for number in range(100)],
                      after=0)

    assert len(asked) == 100
    assert [given(visitor) for visitor in visitors] == [
        [number] if number < 100 else [] for number in range(2000)]


def test_event_of_one_account_asks_no_reader_of_another(asked):
    audience = Audience()
    readers = [join(audience, instance_ids=frozenset([number])) for number in range(2000)]

    audience.hand_out([event(instance=7)], after=0)

    assert len(asked) == 1 and given(readers[7]) == [1]


def test_sockets_with_equal_filters_are_asked_once_together(asked):
    audience = Audience()
    readers = [join(audience) for _ in range(50)]

    audience.hand_out([event()], after=0)

    assert len(asked) == 1 and [given(reader) for reader in readers] == [[1]] * 50


@pytest.mark.parametrize("wanted", [
    {}, {"instance_ids": frozenset([1])}, {"instance_ids": frozenset([1, 2])},
    {"conversation_ref": "v1"}, {"instance_ids": frozenset([1]), "conversation_ref": "v1"},
    {"conversation_id": 8}, {"conversation_id": 9}, {"types": ("message.*",)},
    {"instance_ids": frozenset([1]), "conversation_id": 9, "conversation_ref": "v1"}])
def test_filter_that_fits_is_found_whatever_it_names(wanted):
    audience = Audience()
    reader = join(audience, **wanted)

    audience.hand_out([event(places=(8, 9))], after=0)

    assert given(reader) == [1]


@pytest.mark.parametrize("wanted", [
    {"instance_ids": frozenset()}, {"instance_ids": frozenset([2])}, {"conversation_ref": "v2"},
    {"conversation_id": 7}, {"instance_ids": frozenset([2]), "conversation_id": 9},
    {"instance_ids": frozenset([2]), "conversation_ref": "v1"}, {"direction": "outbound"}])
def test_filter_that_does_not_fit_gets_nothing(wanted):
    audience = Audience()
    reader = join(audience, **wanted)

    audience.hand_out([event(places=(8, 9))], after=0)

    assert given(reader) == []


@pytest.mark.parametrize(("wanted", "heard"), [
    ({"instance_ids": frozenset([1]), "conversation_ref": "v1"}, True), ({}, True),
    ({"instance_ids": frozenset([1]), "conversation_ref": "v2"}, False),
    ({"instance_ids": frozenset([2]), "conversation_ref": "v1"}, False)])
def test_typing_reaches_the_place_it_is_for(wanted, heard):
    audience = Audience()
    reader = join(audience, signals=True, **wanted)

    audience.hand_out((), [Signal(1, "v1", "typing")], after=0)

    assert reader._queue.empty() is not heard


def test_who_left_gets_nothing_and_leaves_nothing_behind():
    audience = Audience()
    reader, other = (join(audience, instance_ids=frozenset([1, 2])) for _ in range(2))

    audience.discard(reader)
    audience.hand_out([event()], after=0)
    audience.discard(other)
    audience.discard(other)

    assert given(reader) == [] and given(other) == [1]
    assert not audience and audience._index == {} and audience.interest == Interest()


def test_runs_of_an_account_are_wanted_while_somebody_reads_them():
    audience = Audience()
    join(audience, instance_ids=frozenset([1]), rows=False, runs=False)
    before = audience.interest
    reader = join(audience, instance_ids=frozenset([2]))
    during = audience.interest
    audience.discard(reader)

    assert not before.takes_runs and not audience.interest.takes_runs
    assert during == Interest(rows=frozenset([2]), runs=frozenset([2])) and during.takes_runs


def test_reader_of_every_account_wants_every_row():
    audience = Audience()
    join(audience, instance_ids=frozenset([1]))
    join(audience)

    assert audience.interest == Interest(rows=None, runs=None)
    assert audience.interest.takes_row(4711)


@pytest.mark.parametrize(("had", "now", "covered"), [
    (None, None, True), (None, {1}, True), ({1}, None, False), ({1}, {1, 2}, False),
    ({1, 2}, {1}, True)])
def test_what_was_read_covers_fewer_accounts_only(had, now, covered):
    interests = [Interest(runs=None if ids is None else frozenset(ids)) for ids in (had, now)]

    assert interests[0].covers_runs_of(interests[1]) is covered
