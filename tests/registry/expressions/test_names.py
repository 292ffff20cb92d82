"""The table of names an expression can see."""

import dataclasses

import pytest

from connections.envelope import Attachment, EventDraft
from registry.expressions import names

NOT_COLUMNS = {  # parts of a draft that become rows of other tables
    "conversation_kind", "conversation_title", "conversation_aliases", "actor_handles",
    "contact_ref", "contact_name", "contact_handles", "conversation_guesses", "places_together",
    "people_together"}
NOT_SEEN = {"size_bytes", "duration_ms", "provider_media_id", "source_url", "url_expires_at",
            "auth_required", "encryption", "inline_path"}


def test_every_fact_of_an_event_can_be_read():
    drafted = {field.name for field in dataclasses.fields(EventDraft)}

    assert drafted - NOT_COLUMNS - names.EVENT.keys() == set()


def test_what_is_said_of_a_file_can_be_read_but_not_how_to_fetch_it():
    known = {field.name for field in dataclasses.fields(Attachment)}

    assert known - NOT_SEEN - names.MEDIA.keys() == set()
    assert not NOT_SEEN & names.MEDIA.keys()


@pytest.mark.parametrize("path", [
    "event", "event.text", "event.media.kind", "event.content.any.thing", "steps", "steps.x",
    "steps.x.output.y", "inputs.x", "vars.x.y", "item", "now", "run.id", "unheard.of",
    "contact.labels", "secrets.KEY",
])
def test_names_of_the_table_and_open_parts_are_known(path):
    assert names.unknown_part(tuple(path.split("."))) is None


@pytest.mark.parametrize(("path", "index", "near"), [
    ("event.tex", 1, "text"), ("event.media.kin", 2, "kind"), ("event.text.x", 2, ""),
    ("steps.x.outputs", 2, "output"), ("steps.x.status.y", 3, ""), ("now.x", 1, ""),
    ("contact.zzz", 1, ""), ("loop.indx", 1, "index"),
])
def test_an_unknown_part_comes_with_its_place_and_nearest_name(path, index, near):
    assert names.unknown_part(tuple(path.split("."))) == (index, near)


@pytest.mark.parametrize(("word", "near"), [
    ("evnt", "event"), ("conv", "conversation"), ("", ""), ("xyz", "")])
def test_the_nearest_name_is_close_or_begins_the_same(word, near):
    assert names.nearest(word, names.ROOTS) == near


@pytest.mark.parametrize("root", sorted(names.ROOTS))
def test_every_name_says_what_it_is(root):
    field = names.ROOTS[root]

    assert field.about and all(inner.about for inner in (field.fields or {}).values())
