"""A delivery becomes drafts, or a reason; never an exception."""

import pytest

from connections.adapter import Account, Adapter
from connections.envelope import EventDraft
from connections.payload import Unparsable
from events.store.normalize import understand
from tests.factories import make_delivery

ACCOUNT = Account(slug="shop", provider="odd", settings=None, credentials=None)


class Odd(Adapter):
    name = "odd"
    title = "Odd"
    normalizer = "odd@3"

    def __init__(self, answer):
        self.answer = answer

    def normalize(self, payload, delivery, account):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def read(answer, body=b"{}"):
    return understand(make_delivery(body), adapter=Odd(answer), account=ACCOUNT)


@pytest.mark.parametrize(("answer", "reason"), [
    (KeyError("id"), "mapping_error"), (RecursionError(), "mapping_error"),
    (Unparsable("not_object"), "not_object"), ([], "no_events")])
def test_what_cannot_be_mapped_is_a_reason(answer, reason):
    understood = read(answer)

    assert (understood.reason, understood.drafts) == (reason, []) and understood.detail


@pytest.mark.parametrize(("body", "reason"), [
    (b"", "empty"), (b"\xff", "bad_utf8"), (b"{", "bad_json"), (b"[" * 65 + b"]" * 65, "too_deep")])
def test_body_that_is_no_json_is_a_reason(body, reason):
    assert read([EventDraft("message.text", "m:1")], body).reason == reason


@pytest.mark.parametrize("kind", ["message.telepathy", "Message.Text", "custom.", "x" * 70, ""])
def test_kind_that_does_not_exist_becomes_unmapped_and_keeps_its_name(kind):
    understood = read([EventDraft(kind, "m:1")])

    [draft] = understood.drafts
    assert (draft.event_type, draft.provider_event_type) == ("event.unmapped", kind)
    assert understood.flags == ["unknown_kind"]


def test_flags_of_the_parser_are_kept():
    assert read([EventDraft("message.text", "m:1")], b'{"a": 1, "a": 2}').flags == ["dup_keys"]


def test_drafts_are_numbered_and_signed_by_their_mapping():
    drafts = read([EventDraft("message.text", f"m:{n}") for n in range(3)]).drafts

    assert [(draft.raw_index, draft.normalizer) for draft in drafts] == [
        (0, "odd@3"), (1, "odd@3"), (2, "odd@3")]
