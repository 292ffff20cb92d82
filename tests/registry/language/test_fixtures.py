"""The neutral events of tests: of kinds that exist, with fields that exist."""

import pytest
from django.utils import timezone

from connections.envelope import is_kind
from omni.errors import InvalidInput
from registry.expressions.lazy import Lazy
from registry.language import fixtures
from registry.trials import staging
from tests.factories import NOON, make_event, make_instance
from tests.omni import documents

pytestmark = pytest.mark.django_db


def roots(example) -> Lazy:
    return staging.build(example, now=NOON).roots(now=NOON, inputs={})


@pytest.mark.parametrize("name", fixtures.EVENTS)
def test_fixture_is_an_event_of_its_kind(name):
    staged = staging.build({"fixture": name, **fixtures.EVENTS[name]}, now=NOON)

    assert is_kind(staged.event.event_type)
    assert staged.event.event_type == name.partition("__")[0]
    assert staged.event.occurred_at == NOON and not staged.is_stored


def test_page_about_testing_lists_the_fixtures():
    text = (documents.ROOT / "docs" / "testing-workflows.md").read_text()
    rows = documents.rows_of(documents.section(text, "Fixtures"))

    listed = [f"{kind}__{variant}" for row in rows for kind, *variants in [row.split("`")[1::2]]
              for variant in variants]

    assert listed == list(fixtures.EVENTS)


def test_kind_alone_is_its_first_variant():
    assert roots("message.audio")["event"]["media"]["is_voice_note"] is True


def test_fields_stand_over_the_fixture():
    values = roots({
        "fixture": "message.text__group", "text": "hi", "from_me": True,
        "conversation": {"tags": ["new"]}, "contact": {"labels": ["vip"], "lists": ["friends"]},
        "instance": {"slug": "shop"}, "provider": "discord",
        "media": {"kind": "image", "duration_s": 1.5}})

    assert (values["event"]["text"], values["event"]["from_me"]) == ("hi", True)
    assert (values["conversation"]["is_group"], values["conversation"]["tags"]) == (True, ["new"])
    assert (values["contact"]["labels"], values["contact"]["lists"]) == (["vip"], ["friends"])
    assert values["contact"]["handles"] == [fixtures.ANA]
    assert (values["instance"]["slug"], values["instance"]["provider"]) == ("shop", "discord")
    assert values["event"]["media"]["duration_s"] == 1.5
    assert values["event"]["media_kind"] == "image"


@pytest.mark.parametrize(("fields", "name"), [
    ({"conversation": {"is_group": True}}, "is_group"),
    ({"conversation": {"is_self_chat": True}}, "is_self_chat")])
def test_kind_of_a_conversation_follows_what_is_said_of_it(fields, name):
    assert roots({"fixture": "message.text", **fields})["conversation"][name] is True


def test_nobody_and_nowhere_can_be_said():
    values = roots({"fixture": "message.text", "contact": None, "conversation": None})

    assert values["contact"]["labels"] == [] and values["conversation"].get("id") is None


def test_own_sends_are_known_as_such():
    assert roots({"fixture": "message.text__outbound", "sent_by_omni": True})["event"][
        "sent_by_omni"] is True


@pytest.mark.parametrize(("example", "message"), [
    ("message.txt", "did you mean 'message.text'"),
    ({"fixture": "message.text", "contact": "Ana"}, "contact must be a mapping"),
    ({"txt": "hi"}, "did you mean 'text'"),
    ({"conversation": {"id": 7}}, "unknown key 'id'"),
    (7, "there is no event 7"),
    ([], "must be a stored event's id"),
])
def test_event_that_is_none_is_named(example, message):
    with pytest.raises(InvalidInput, match=message):
        staging.build(example, now=timezone.now())


def test_stored_event_is_taken_as_it_is():
    event = make_event(make_instance(), text="stored")

    staged = staging.build(event.pk, now=NOON)

    assert staged.is_stored and staged.event == event
