"""Which events are stored at one moment."""

import pytest

from registry.engine.run import so_far
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def events():
    shop = make_instance()
    return [make_event(shop).pk for _ in range(3)]


def test_everything_is_there_up_to_the_newest_where_nobody_stores(events):
    assert so_far.so_far() >= (events[-1], ()) and so_far.so_far().above == ()


@pytest.mark.parametrize(("most", "floor", "listed"), [(9, None, 3), (2, 1, 2)])
def test_events_above_what_is_settled_are_listed_within_bounds(events, monkeypatch, most, floor,
                                                               listed):
    monkeypatch.setattr(so_far.horizon, "settled", lambda model: events[0] - 1)
    monkeypatch.setattr(so_far, "MOST", most)

    found = so_far.so_far()

    assert found.floor == (events[0] - 1 if floor is None else events[floor])
    assert found.above == tuple(reversed(events))[:listed]
