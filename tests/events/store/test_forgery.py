"""Which changes of a message count, by place and author."""

from types import SimpleNamespace

import pytest

from events.store import forgery


def event(pk, relation="", *, message=None, **fields):
    return SimpleNamespace(**{
        "pk": pk, "relation": relation, "provider_message_id": message, "from_me": False,
        "in_place": 1, "by_person": 7, "by_addresses": ["phone"], **fields})


MESSAGE = event(1, message="m1")


def counts(relation, message=MESSAGE, **fields):
    change = event(2, relation, **fields)
    return change in forgery.without([message, change], "m1")


@pytest.mark.parametrize("relation", ["replaces", "deletes", "reacts_to", "votes_on", "pins"])
@pytest.mark.parametrize(("place", "is_counted"), [(1, True), (2, False), (None, True)])
def test_change_counts_where_the_message_is(relation, place, is_counted):
    assert counts(relation, in_place=place) == is_counted


@pytest.mark.parametrize("relation", ["status_of", "revises"])
def test_news_of_a_message_counts_from_anywhere(relation):
    assert counts(relation, in_place=2)


@pytest.mark.parametrize(("by", "is_counted"), [
    ({}, True), ({"by_person": 8}, False), ({"by_person": 8, "by_addresses": ["lid"]}, True),
    ({"by_person": 8, "by_addresses": ["lid", "phone"]}, False), ({"from_me": True}, False),
    ({"by_person": None, "by_addresses": None, "from_me": True}, True)])
def test_edit_counts_unless_it_is_known_to_be_somebody_elses(by, is_counted):
    assert counts("replaces", **by) == is_counted
    assert counts("deletes", **by)


def test_change_counts_until_its_message_is_known():
    change = event(2, "replaces", in_place=2)

    assert forgery.without([change], "m1") == [change]
