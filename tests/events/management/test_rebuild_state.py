"""`manage.py rebuild_state`: the faces of messages come back from their events."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events.management.commands import rebuild_state
from events.models import MessageState
from events.store import state
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db


def rebuild(*arguments):
    out = StringIO()
    call_command("rebuild_state", *arguments, stdout=out)
    return out.getvalue()


def faces(instance):
    return list(MessageState.objects.filter(instance=instance).order_by("provider_message_id")
                .values_list("provider_message_id", "text", "edit_count", "delivery_status"))


def make_talk(instance):
    """Three messages: one edited and reacted to, one read, and one that answers an unseen one."""
    edited = make_event(instance, provider_message_id="a", text="before")
    make_event(instance, event_type="message.edited", relation="replaces",
               target_message_id="a", text="after")
    make_event(instance, provider_message_id="b", text="hi", relation="replies_to",
               target_message_id="never-seen")
    make_event(instance, event_type="message.reaction", provider_message_id="r",
               relation="reacts_to", target_message_id="a", content={"emoji": "+"})
    make_event(instance, event_type="message.status.read", relation="status_of",
               target_message_id="c", delivery_status="read")
    return edited


def test_faces_come_back_from_events_in_any_number_of_chunks(monkeypatch):
    shop = make_instance()
    make_talk(shop)
    monkeypatch.setattr(rebuild_state, "CHUNK", 2)

    told = rebuild()

    assert faces(shop) == [("a", "after", 1, None), ("b", "hi", 0, None), ("c", None, 0, "read")]
    assert "shop: 3 messages, 0 rows" in told  # a reaction has an id and no face of its own


def test_rebuilding_changes_nothing_that_was_right():
    shop = make_instance()
    make_talk(shop)
    for event in shop.events.order_by("id"):
        state.apply([event])
    before = faces(shop)

    rebuild()

    assert faces(shop) == before


def test_face_of_a_message_no_event_speaks_of_is_removed():
    shop = make_instance()
    MessageState.objects.create(instance=shop, provider_message_id="ghost", text="boo")

    told = rebuild()

    assert faces(shop) == []
    assert "shop: 0 messages, 1 rows" in told


def test_other_instances_are_left_alone():
    shop, other = make_instance("shop"), make_instance("other")
    make_talk(shop)
    make_talk(other)

    rebuild("--instance", "other")

    assert (len(faces(shop)), len(faces(other))) == (0, 3)


def test_unknown_instance_is_refused():
    with pytest.raises(CommandError, match="no instance 'nowhere'"):
        rebuild("--instance", "nowhere")


def test_event_that_cannot_be_folded_is_named_and_the_others_count():
    shop = make_instance()
    make_talk(shop)
    odd = make_event(shop, event_type="poll.vote", relation="votes_on", target_message_id="a",
                     content={"option_ids": 5})

    said = rebuild()

    assert f"shop: event {odd.pk} was left out: TypeError" in said
    assert state.of(shop.pk, "a").text == "after"
