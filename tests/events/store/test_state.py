"""What messages look like now, folded from events in any order of arrival."""

import itertools
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.models import Event, MessageState
from events.store import state
from tests.factories import NOON, make_event, make_instance
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db
FACTS = ("text", "edit_count", "deleted_at", "pinned", "delivery_status", "error_code",
         "reactions", "tally", "edited_at")


@pytest.fixture
def shop():
    return make_instance()


def at(second):
    return NOON + timedelta(seconds=second)


def event(second, event_type="message.text", *, message="m1", target=None, **fields):
    """Fields of an event that happened `second` seconds after noon."""
    return {"event_type": event_type, "provider_message_id": message, "occurred_at": at(second),
            "target_message_id": target, "provider_actor_ref": "ana", "text": None, **fields}


def original(second=0, **fields):
    return event(second, text="one", **fields)


def edit(second, text, **fields):
    return event(second, "message.edited", message=None, target="m1", relation="replaces",
                 text=text, **fields)


def hidden_edit(second):
    return edit(second, None, content={"text_hidden": True})


def deletion(second):
    return event(second, "message.deleted", message=None, target="m1", relation="deletes")


def status(second, name, **fields):
    return event(second, f"message.status.{name}", message=None, target="m1",
                 relation="status_of", delivery_status=name, **fields)


def reaction(second, emoji, who="ana", *, removed=False):
    return event(second, "message.reaction_removed" if removed else "message.reaction",
                 message=f"r{second}", target="m1", relation="reacts_to",
                 provider_actor_ref=who, content={"emoji": emoji})


def vote(second, options, who="ana", action="set"):
    return event(second, "poll.vote", message=f"v{second}", target="m1", relation="votes_on",
                 provider_actor_ref=who, content={"option_ids": options, "action": action})


def arrive(shop, *events):
    """Events one by one, each folded when it arrives; the face of the message."""
    for fields in events:
        state.apply([make_event(shop, **fields)])
    return state.of(shop.pk, "m1")


CASES = {
    "edits": ([original(), edit(1, "two"), edit(2, "three")],
              {"text": "three", "edit_count": 2, "edited_at": at(2)}),
    "deleted": ([original(), edit(1, "two"), deletion(2)],
                {"deleted_at": at(2), "text": "two"}),
    "status": ([original(), status(1, "sent"), status(2, "delivered"), status(3, "read")],
               {"delivery_status": "read"}),
    "late receipt": ([original(), status(1, "read"), status(2, "delivered")],
                     {"delivery_status": "read"}),
    "failed": ([original(), status(1, "sent"), status(2, "failed", error_code="131")],
               {"delivery_status": "failed", "error_code": "131"}),
    "failed then delivered": ([original(), status(1, "failed", error_code="1"),
                               status(2, "delivered")],
                              {"delivery_status": "delivered", "error_code": None}),
    "delivered then failed": ([original(), status(1, "delivered"), status(2, "failed")],
                              {"delivery_status": "delivered"}),
    "reactions": ([original(), reaction(1, "👍"), reaction(2, "👍", "bea"), reaction(3, "❤️")],
                  {"reactions": {"👍": ["bea"], "❤️": ["ana"]}}),
    "reaction taken back": ([original(), reaction(1, "👍"), reaction(2, "", removed=True)],
                            {"reactions": {}}),
    "votes": ([original(), vote(1, ["a"]), vote(2, ["a", "b"], "bea"), vote(3, ["b"])],
              {"tally": {"a": ["bea"], "b": ["bea", "ana"]}}),
    "votes added and removed": ([original(), vote(1, ["a"], action="added"),
                                 vote(2, ["b"], action="added"), vote(3, ["a"], action="removed")],
                                {"tally": {"b": ["ana"]}}),
    "pinned": ([original(), event(1, "message.pinned", message=None, target="m1", relation="pins"),
                event(2, "message.unpinned", message=None, target="m1", relation="pins"),
                event(3, "message.pinned", message=None, target="m1", relation="pins")],
               {"pinned": True}),
}


@pytest.mark.parametrize(("events", "face"), CASES.values(), ids=list(CASES))
def test_face_of_a_message_does_not_depend_on_the_order_of_arrival(shop, events, face):
    for order in itertools.permutations(events):
        Event.objects.all().delete()
        MessageState.objects.all().delete()
        row = arrive(shop, *order)

        assert {name: getattr(row, name) for name in face} == face
        assert row.introduced_by.text == "one"


@pytest.mark.parametrize(("events", "face"), CASES.values(), ids=list(CASES))
def test_face_of_a_message_is_the_same_when_everything_is_applied_at_once(shop, events, face):
    state.apply([make_event(shop, **fields) for fields in events])

    row = state.of(shop.pk, "m1")
    assert {name: getattr(row, name) for name in face} == face


def test_revision_in_the_same_batch_is_what_the_message_says(shop):
    state.apply([make_event(shop, **original()),
                 make_event(shop, **{**original(), "text": "revised"})])

    assert state.of(shop.pk, "m1").text == "revised"


ANY = st.permutations([fields for events, _ in CASES.values() for fields in events[1:]])


@settings(max_examples=8, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=ANY)
def test_everything_at_once_ends_the_same_in_any_order(shop, order):
    faces = []
    for events in (order, sorted(order, key=lambda one: (one["occurred_at"], str(one)))):
        Event.objects.all().delete()
        MessageState.objects.all().delete()
        spaced = [{**fields, "occurred_at": at(100 + CANON.index(str(fields)))}
                  for fields in events]
        row = arrive(shop, original(), *spaced)
        faces.append({name: getattr(row, name) for name in FACTS})

    assert faces[0] == faces[1]


CANON = sorted({str(fields) for events, _ in CASES.values() for fields in events[1:]})


def test_effect_before_its_message_is_kept_for_it(shop):
    row = arrive(shop, deletion(5))

    assert (row.introduced_by, row.deleted_at) == (None, at(5))


def test_reply_is_about_its_own_message_only(shop):
    arrive(shop, original(), event(1, message="m2", target="m1", relation="replies_to",
                                   text="answer"))

    assert state.of(shop.pk, "m1").text == "one" and state.of(shop.pk, "m2").text == "answer"


@pytest.mark.parametrize("effect", [reaction(1, "👍"), vote(1, ["a"]), {
    **edit(1, "two"), "provider_message_id": "e1"}])
def test_effect_with_an_id_of_its_own_is_no_message(shop, effect):
    arrive(shop, original(), effect)

    assert list(MessageState.objects.values_list("provider_message_id", flat=True)) == ["m1"]


def test_edit_that_names_the_message_as_its_own_changes_it(shop):
    row = arrive(shop, original(), event(1, "message.edited", text="two"))

    assert (row.text, row.edit_count) == ("two", 1)


def test_same_id_at_another_instance_is_another_message(shop):
    desk = make_instance("desk")
    arrive(shop, original())
    state.apply([make_event(desk, **event(0, text="other"))])

    assert state.of(shop.pk, "m1").text == "one" and state.of(desk.pk, "m1").text == "other"


def test_state_is_rebuilt_from_events_alone(shop):
    before = arrive(shop, original(), edit(1, "two"), reaction(2, "👍"))
    MessageState.objects.all().delete()

    state.rebuild(shop.pk, ["m1"])

    after = state.of(shop.pk, "m1")
    assert all(getattr(after, name) == getattr(before, name) for name in FACTS)
    assert after.last_event == Event.objects.latest("occurred_at")


def test_events_about_no_message_leave_no_state(shop):
    state.apply([make_event(shop, event_type="connection.opened")])

    assert not MessageState.objects.exists()


@pytest.mark.parametrize(("events", "text", "count", "hidden"), [
    ([original(), hidden_edit(1)], "one", 1, True),
    ([hidden_edit(1), original()], "one", 1, True),
    ([original(), edit(1, "two"), hidden_edit(2)], "two", 2, True),
    ([original(), hidden_edit(1), edit(2, "three")], "three", 2, False),
    ([hidden_edit(0), original(1)], "one", 1, True),
    ([original()], "one", 0, False)])
def test_edit_nobody_can_read_keeps_the_text_and_counts(shop, events, text, count, hidden):
    row = arrive(shop, *events)

    assert (row.text, row.edit_count, row.is_text_hidden()) == (text, count, hidden)
    assert (row.edited_at is None) is (count == 0)


FOLDS = {
    "apply": lambda fresh: state.apply([fresh]),
    "rebuild": lambda fresh: state.rebuild(fresh.instance_id, ["m1"]),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fold", FOLDS.values(), ids=list(FOLDS))
def test_fold_that_looked_earlier_does_not_undo_a_newer_one(fold):
    shop = make_instance()
    state.apply([make_event(shop, **original())])
    second = make_event(shop, **edit(2, "three"))

    with transaction.atomic():  # one worker has stored an edit, and folded it
        state.apply([make_event(shop, **edit(1, "two"))])
        other = Elsewhere(lambda: fold(second))
        assert other.waits_for()
    other.gives()

    assert (state.of(shop.pk, "m1").text, state.of(shop.pk, "m1").edit_count) == ("three", 2)
