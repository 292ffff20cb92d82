"""What a chat page sends, as drafts."""

import pytest

from connections.envelope import is_kind
from connections.providers.webchat.mapping import FILES_MAX, drafts

VISITOR = "v_AAAAAAAAAAAAAAAAAAAAAA"


def frame(**fields):
    return {"type": "message", "id": "1", "visitor": VISITOR, **fields}


def only(value):
    (draft,) = drafts(value)
    return draft


def file(mime, **fields):
    return {"name": "a.bin", "mime": mime, "base64": "aGVsbG8=", **fields}


def test_text_is_a_message_of_the_visitors_conversation():
    draft = only(frame(text="good morning", name="Ana"))

    assert (draft.event_type, draft.text, draft.sender_name) == (
        "message.text", "good morning", "Ana")
    assert (draft.conversation_ref, draft.conversation_kind) == (VISITOR, "direct")
    assert (draft.provider_actor_ref, draft.from_me, draft.direction) == (VISITOR, False, "inbound")


def test_message_is_named_by_conversation_and_page_id():
    draft = only(frame(text="hi", id="abc"))

    assert (draft.dedup_key, draft.provider_message_id) == (f"m:{VISITOR}:abc", f"{VISITOR}:abc")


@pytest.mark.parametrize(("mime", "kind"), [
    ("image/png", "image"), ("audio/ogg", "audio"), ("video/mp4", "video"),
    ("application/pdf", "document"), ("", "document"), ("text/html", "document")])
def test_message_with_a_file_has_the_kind_of_its_first_file(mime, kind):
    draft = only(frame(text="look", files=[file(mime), file("image/png")]))

    assert (draft.event_type, draft.media_kind, draft.text) == (f"message.{kind}", kind, "look")
    assert [item.inline_path for item in draft.attachments] == ["files.0.base64", "files.1.base64"]


def test_file_says_its_decoded_size():
    (attachment,) = only(frame(type="file", files=[file("image/png")])).attachments

    assert (attachment.size_bytes, attachment.filename) == (5, "a.bin")


def test_no_more_files_than_the_limit_are_taken():
    draft = only(frame(files=[file("image/png")] * (FILES_MAX + 5)))

    assert len(draft.attachments) == FILES_MAX


def test_reply_names_the_quoted_message():
    draft = only(frame(text="yes", reply_to="7"))

    assert (draft.relation, draft.target_message_id) == ("replies_to", f"{VISITOR}:7")


def test_target_of_another_conversation_stays_in_the_visitors_own():
    draft = only(frame(type="read", target="v_BBBBBBBBBBBBBBBBBBBBBB:1"))

    assert draft.target_message_id.startswith(f"{VISITOR}:")


@pytest.mark.parametrize(("fields", "kind"), [
    ({"type": "typing"}, "presence.typing"),
    ({"type": "typing", "state": "recording"}, "presence.recording"),
    ({"type": "typing", "state": "paused"}, "presence.available"),
    ({"type": "read", "target": "5"}, "message.status.read"),
    ({"type": "vote", "target": "5", "options": ["tea"]}, "poll.vote")])
def test_signs_of_life_have_kinds_of_their_own(fields, kind):
    assert only(frame(**fields)).event_type == kind


def test_read_mark_is_the_status_of_its_message():
    draft = only(frame(type="read", target=f"{VISITOR}:5"))

    assert (draft.relation, draft.delivery_status, draft.target_message_id, draft.dedup_key) == (
        "status_of", "read", f"{VISITOR}:5", f"s:{VISITOR}:5:read")


def test_two_typing_frames_are_two_events():
    first, second = only(frame(type="typing", id="1")), only(frame(type="typing", id="2"))

    assert first.dedup_key != second.dedup_key


@pytest.mark.parametrize("value", [
    None, 7, "text", [], {}, {"type": "message"}, {"type": ["message"]}, frame(text="  "),
    frame(text=7), frame(type="typing", state="asleep"), frame(type="read"), frame(type="dance"),
    frame(type="vote", options="tea"), frame(files="x"), frame(files=[1, {}, {"base64": 5}])])
def test_unknown_frame_becomes_unmapped(value):
    assert only(value).event_type == "event.unmapped"


@pytest.mark.parametrize("local_id", [None, "", True, [], {}, 5, "x" * 5000, "\ud800"])
def test_every_id_gives_a_key_that_fits(local_id):
    draft = only(frame(text="hi", id=local_id))

    assert is_kind(draft.event_type) and len(draft.dedup_key) <= 255


@pytest.mark.parametrize("visitor", ["", "v_short", "anna", None, 5, "v_" + "A" * 22 + "\n"])
def test_name_of_another_form_is_no_visitor(visitor):
    draft = only({"type": "message", "id": "1", "text": "hi", "visitor": visitor})

    assert (draft.conversation_ref, draft.provider_actor_ref) == ("", "")


def test_mapping_twice_gives_the_same_drafts():
    value = frame(text="hi", files=[file("image/png")])

    assert drafts(value) == drafts(value)
