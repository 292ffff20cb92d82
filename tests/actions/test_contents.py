import pytest
from pydantic import ValidationError

from actions.contents import Message


@pytest.mark.parametrize(("given", "kind", "content"), [
    ({"text": "hi"}, "text", {}),
    ({"location": {"latitude": 0, "longitude": 1.5, "name": "Here"}}, "location",
     {"latitude": 0.0, "longitude": 1.5, "name": "Here"}),
    ({"contacts": [{"full_name": "Ana", "phone": "+55"}]}, "contact",
     {"contacts": [{"full_name": "Ana", "phone": "+55"}]}),
    ({"poll": {"name": "When?", "options": ["now", "later"]}}, "poll",
     {"name": "When?", "options": ["now", "later"], "selectable": 1}),
    ({"reaction": {"emoji": "👍", "message_id": "m1"}}, "reaction", {"emoji": "👍"}),
])
def test_what_is_given_decides_the_kind(given, kind, content):
    message = Message(**given).outbound("ana")

    assert (message.kind, message.to, message.content) == (kind, "ana", content)


def test_text_beside_media_is_its_caption():
    media = {"kind": "image", "url": "https://example.org/a.png", "mime": "image/png"}

    message = Message(text="look", media=media).outbound("ana")

    assert (message.kind, message.text) == ("image", "look")
    assert message.media == {"url": "https://example.org/a.png", "mime": "image/png"}


@pytest.mark.parametrize("wrong", [
    {"text": "hi", "poll": {"name": "x", "options": ["a", "b"]}},
    {"location": {"latitude": 91, "longitude": 0}},
    {"poll": {"name": "x", "options": ["a"]}},
    {"media": {"kind": "image"}},
    {"media": {"kind": "image", "url": "https://x", "base64": "aa"}},
    {"reaction": {"emoji": "x"}, "poll": {"name": "x", "options": ["a", "b"]}},
])
def test_message_that_cannot_be_sent_is_refused(wrong):
    with pytest.raises(ValidationError):
        Message(**wrong)


def test_message_with_nothing_in_it_is_none():
    assert Message().outbound("ana") is None
