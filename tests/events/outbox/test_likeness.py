"""Which event is which send's echo, without a database."""

import pytest

from events.models import Event
from events.outbox.likeness import Send, assign


def send(id=1, *, exact=False, kind="text", text="hello", target=None):
    return Send(exact, id, f"e:{id}", kind, text, target)


def event(pk=1, **fields):
    return Event(pk=pk, **{"instance_id": 1, "event_type": "message.text", "text": "hello",
                           **fields})


@pytest.mark.parametrize(("sent", "heard", "fits"), [
    ({}, {}, True), ({"text": "two  words\r\n"}, {"text": "two words"}, True),
    ({"text": "caf\u00e9 \U0001f469\u200d\U0001f680"},
     {"text": "\u2068cafe\u0301\u2069\u200e \U0001f469\U0001f680"}, True),
    ({"text": "\u200e"}, {"text": "hello"}, False),
    ({}, {"text": "Hello"}, False), ({}, {"text": None}, False),
    ({"exact": True}, {"text": "changed by the provider"}, True),
    ({"exact": True}, {"event_type": "message.deleted"}, False),
    ({"kind": "image", "text": None}, {"event_type": "message.image", "text": None}, True),
    ({"kind": "image", "text": None}, {"event_type": "message.sticker", "text": None}, False),
    ({"kind": "location", "text": None}, {"event_type": "message.location", "text": "Home"}, True),
    ({"kind": "edit", "target": "m1"}, {"event_type": "message.edited",
                                        "target_message_id": "m1"}, True),
    ({"kind": "edit", "target": "m1"}, {"event_type": "message.edited",
                                        "target_message_id": "m2"}, False),
    ({"kind": "edit", "target": "m1"}, {"target_message_id": "m1"}, False)])
def test_names_are_believed_and_words_are_compared(sent, heard, fits):
    assert send(**sent).fits(event(**heard)) is fits


def test_equal_sends_are_given_out_in_order_and_once():
    events = [event(1), event(2), event(3)]
    found = {pk: [send(7), send(8)] for pk in (1, 2, 3)}

    pairs, again = assign(events, found)

    assert [(one.pk, to.id) for one, to in pairs] == [(1, 7), (2, 8)] and again == set()


def test_send_that_is_named_is_not_given_to_another_by_its_words():
    pairs, _ = assign([event(1), event(2)], {1: [send(7, exact=True)], 2: [send(7)]})

    assert [(one.pk, to.id) for one, to in pairs] == [(1, 7)]


def test_second_event_of_a_message_waits_until_its_id_is_known():
    events = [event(1, provider_message_id="m1"), event(2, provider_message_id="m1")]

    pairs, again = assign(events, {1: [send(7)]})

    assert len(pairs) == 1 and again == {2}
