"""What expressions see: plain values of the event and what surrounds it, read when asked for."""

import pytest

from actions.models import ContactList
from events.models import Attachment, Contact, Event, Handle
from registry.engine.run import scope
from registry.expressions import names
from registry.expressions.expression import compile_expression
from tests.factories import make_conversation, make_event, make_instance

pytestmark = pytest.mark.django_db


def seen(event, expression, **inputs):
    return compile_expression(expression).evaluate(scope.of_event(event, inputs=inputs))


@pytest.fixture
def shop():
    return make_instance("shop", labels=["vip"])


def test_every_column_of_an_event_is_seen_by_its_name(shop):
    event = make_event(shop, text="hi", from_me=True)
    view = scope.event_view(event)

    for column in Event._meta.concrete_fields:
        assert view[column.attname] == getattr(event, column.attname)


def test_every_name_the_language_knows_of_an_event_is_answered(shop):
    view = scope.event_view(make_event(shop))

    assert [name for name in names.COLUMNS if name not in view and name not in view._makers] == []


@pytest.mark.parametrize(("expression", "value"), [
    ("event.text", "hello"), ("event.attachments", []),
    ("event.media", None), ("event.batch_text", "hello"), ("instance.slug", "shop"),
    ("instance.labels", ["vip"]), ("instance.provider", "webhook"), ("inputs.word", "x"),
    ("inputs.other", None), ("contact.name", None), ("contact.labels", []),
    ("contact.lists", []), ("conversation.is_group", False), ("conversation.tags", []),
    ("event.sent_by_omni", False)])
def test_what_is_not_there_is_null_or_empty(shop, expression, value):
    assert seen(make_event(shop), expression, word="x") == value


@pytest.mark.parametrize(("kind", "is_group", "is_self"), [
    ("direct", False, False), ("group", True, False), ("channel", True, False),
    ("thread", True, False), ("list", True, False), ("self", False, True)])
def test_conversation_says_what_kind_of_place_it_is(shop, kind, is_group, is_self):
    event = make_event(shop, conversation=make_conversation(shop, "c", kind=kind, tags=["a"]))

    assert seen(event, "[conversation.is_group, conversation.is_self_chat, conversation.tags]") == [
        is_group, is_self, ["a"]]


def test_first_attachment_is_the_media_of_the_event(shop):
    event = make_event(shop, media_kind="audio")
    for position, kind in enumerate(["audio", "image"]):
        Attachment.objects.create(event=event, position=position, kind=kind, duration_ms=1500)

    assert seen(event, "event.media.kind") == "audio"
    assert seen(event, "event.media.duration_s") == 1.5
    assert seen(event, "len(event.attachments)") == 2


def test_contact_is_seen_with_handles_and_lists(shop):
    contact = Contact.objects.create(name="Ana", labels=["gold"])
    Handle.objects.create(contact=contact, provider="webhook", kind="phone", value="+3511")
    ContactList.objects.create(name="friends").entries.create(pattern="+3511")
    event = make_event(shop, contact=contact)

    assert seen(event, "[contact.name, contact.labels, contact.handles, contact.lists]") == [
        "Ana", ["gold"], ["+3511"], ["friends"]]


def test_nothing_is_read_before_it_is_asked_for(shop, django_assert_num_queries):
    event = make_event(shop, media_kind="image", contact=Contact.objects.create(name="Ana"))

    with django_assert_num_queries(0):
        values = scope.of_event(event)
        assert values["event"]["text"] == "hello"
    with django_assert_num_queries(1):
        assert values["event"]["attachments"] == values["event"]["attachments"] == []


def test_now_stands_still_within_one_scope(shop):
    values = scope.of_event(make_event(shop))

    assert values["now"] is values["now"]
