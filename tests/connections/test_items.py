"""Items are mapped each for itself; the order is theirs, and the places."""

import pytest

from connections.envelope import EventDraft
from connections.items import map_each


def reading(*names, fails=None):
    def read():
        if fails:
            raise fails
        return [EventDraft("message.text", name) for name in names]

    return read, lambda: EventDraft("message.text", "instead", text="half read")


def test_drafts_stand_in_the_order_of_their_items_with_their_place():
    drafts = map_each([reading("a", "b"), reading(fails=ValueError("a word")), reading("c")])

    assert [(draft.dedup_key, draft.raw_index) for draft in drafts] == [
        ("a", 0), ("b", 0), ("instead", 1), ("c", 2)]
    assert (drafts[2].event_type, drafts[2].content) == (
        "event.unmapped", {"reason": "the mapping failed: ValueError"})


def test_error_is_raised_where_no_item_could_be_mapped():
    with pytest.raises(KeyError):
        map_each([reading(fails=KeyError("id")), reading(fails=ValueError("x"))])


def test_no_items_give_no_drafts():
    assert map_each([]) == []
