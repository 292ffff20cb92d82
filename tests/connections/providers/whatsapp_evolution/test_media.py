"""Files of messages: their facts, and where their bytes are."""

import pytest

ROWS = {
    "message.image__encrypted": {
        "kind": "image", "mime": "image/jpeg", "size_bytes": 20480, "width": 900, "height": 1600,
        "caption": "o bolo", "source_url": "https://mmg.example.net/v/file.enc",
        "inline_path": None},
    "message.image__base64": {
        "size_bytes": 2048, "inline_path": "data.message.base64",
        "sha256": "1c01bd6f99b6c35c74a02e6613cad8263f5be66db0d71d280b9984f2b6098fd0"},
    "message.image__stored": {
        "source_url": "https://files.example.org/ac22.png", "encryption": None},
    "message.video__gif": {"kind": "video", "is_animated": True, "duration_ms": 4000},
    "message.video__note": {"kind": "video", "duration_ms": 8000},
    "message.audio__voice": {"kind": "audio", "is_voice_note": True, "duration_ms": 9000},
    "message.document__caption_wrapper": {
        "kind": "document", "filename": "ementa.pdf", "caption": "a ementa"},
    "message.sticker__animated": {"kind": "sticker", "is_animated": True},
}


@pytest.mark.parametrize(("name", "expected"), ROWS.items(), ids=ROWS)
def test_file_becomes_these_facts(name, expected, drafts):
    attachment = drafts(name)[0].attachments[0]

    assert {field: getattr(attachment, field) for field in expected} == expected


def test_keys_that_open_a_file_stand_with_the_file_as_base64(drafts):
    opened_by = drafts("message.image__encrypted")[0].attachments[0].encryption

    assert set(opened_by) == {"mediaKey", "fileEncSha256", "directPath", "mediaKeyTimestamp"}
    assert opened_by["mediaKey"].startswith("CRAXHiUs")
    assert opened_by["mediaKeyTimestamp"] == 1772442890


@pytest.mark.parametrize("name", ["message.image__view_once",
                                  "message.audio__view_once_extension"])
def test_wrapper_marks_a_file_as_view_once(name, drafts):
    assert drafts(name)[0].is_view_once


def test_caption_is_the_text_and_the_first_file_names_the_kind(drafts):
    draft = drafts("message.document__caption_wrapper")[0]

    assert (draft.text, draft.media_kind, draft.content) == ("a ementa", "document", {"pages": 2})


def test_transcript_is_kept_apart_from_the_text(drafts):
    draft = drafts("message.audio__voice")[0]

    assert (draft.text, draft.content) == (None, {"transcript": "queria encomendar"})


def test_file_names_its_album(drafts):
    assert drafts("message.image__encrypted")[0].context["album"] == "AC2F"


@pytest.mark.parametrize(("wrap", "path"), [
    (lambda item: item, "data.message.base64"),
    (lambda item: [item], "data.0.message.base64"),
    (lambda item: {"messages": [item]}, "data.messages.0.message.base64"),
])
def test_inline_path_leads_to_the_bytes(wrap, path, load, read):
    body = load("message.image__base64")
    body["data"] = wrap(body["data"])

    assert read(body)[0].attachments[0].inline_path == path
