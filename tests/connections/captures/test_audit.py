"""What the audit says about captured deliveries is what the front door would have done."""

import json
from datetime import UTC, datetime

import pytest

from connections.adapter import Adapter, Config
from connections.captures.audit import NOT_CHECKED, Setup, audit, coverage, open_account, run
from connections.captures.files import find
from connections.envelope import DRAFT_FIELDS, EventDraft
from connections.standard_webhooks import sign
from omni.errors import InvalidInput, SignatureMismatch

SECRET = "whsec_YSBzZWNyZXQgb2YgMjQgYnl0ZXMuLi4u"
STAMP = 1780000000
BODY = b'{"type":"contact.created"}'
SIGNED = {"webhook-id": "msg_1", "webhook-timestamp": str(STAMP),
          "webhook-signature": sign(BODY, message_id="msg_1", timestamp=STAMP, secret=SECRET)}
INSTANCE = {"settings": {"verification": "standard_webhooks"}, "credentials": {"secret": SECRET},
            "now": "2026-05-28T20:27:00Z"}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "webhook"
    place.mkdir()
    return place


def write(folder, name, body, sidecar=None):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
    if sidecar is not None:
        (folder / f"{name.rsplit('.', 1)[0]}.headers.json").write_text(json.dumps(sidecar))


class Strange(Adapter):
    """An adapter whose mapping does what the payload says."""

    name = "strange"
    title = "Strange"
    normalizer = "strange@1"
    frame_transport = "gateway"

    class Settings(Config):
        own_name: str
        rooms: list[str]
        limit: int | None

    def verify(self, delivery, account, *, now):
        raise SignatureMismatch("nobody is trusted")

    def normalize(self, payload, delivery, account):
        if payload["do"] == "raise":
            raise KeyError("chat")
        if payload["do"] == "nothing":
            return []
        return [EventDraft(event_type=payload["kind"], dedup_key=payload["key"])]


def strange(folder, payload, sidecar=None):
    write(folder, "a.json", payload, sidecar)
    adapter = Strange()
    [capture] = find(folder)
    return run(capture, Setup(adapter, open_account(adapter), datetime.now(UTC), "http", True))


def only(paths, **more):
    [result] = audit([paths], **more)
    return result


def test_a_body_becomes_drafts_with_every_field(folder):
    write(folder, "order.json", {"order": 1})

    result = only(folder)

    assert (result.provider, result.state, result.error) == ("webhook", "mapped", None)
    assert result.answer == {"status": 202, "headers": {}, "body": {"status": "accepted"}}
    assert set(result.events[0]) == set(DRAFT_FIELDS)


def test_without_an_instance_the_proof_is_not_checked(folder):
    write(folder, "a.json", BODY, {"headers": {"webhook-signature": "v1,AAAA"}})

    assert only(folder).verified == NOT_CHECKED


def test_an_instance_file_freezes_the_clock_and_proves_the_sender(folder):
    write(folder, "_instance.json", INSTANCE)
    write(folder, "a.json", BODY, {"headers": SIGNED})

    result = only(folder)

    assert (result.verified, result.proof) == (True, "standard-webhooks key 1")
    assert result.events[0]["dedup_key"] == "w:msg_1"


@pytest.mark.parametrize("change", [
    {"now": STAMP + 301}, {"credentials": {}}, {"credentials": {"secret": "whsec_AAAA"}}])
def test_a_failed_proof_is_refused(folder, change):
    write(folder, "_instance.json", {**INSTANCE, **change})
    write(folder, "a.json", BODY, {"headers": SIGNED})

    result = only(folder)

    assert (result.verified, result.answer["status"]) == (False, 401)
    assert result.error.startswith("signature_mismatch: ")
    assert result.is_failure and not result.events


def test_an_instance_file_of_the_caller_wins(folder):
    write(folder, "_instance.json", {**INSTANCE, "now": STAMP + 9999})
    write(folder, "a.json", BODY, {"headers": SIGNED})

    assert only(folder, instance=INSTANCE).verified is True


def test_a_broken_body_is_quarantined_and_no_failure(folder):
    write(folder, "a.json", b'{"a":')

    result = only(folder)

    assert (result.state, result.answer["status"]) == ("quarantined", 200)
    assert result.answer["body"] == {"status": "quarantined", "reason": "bad_json"}
    assert result.error.startswith("bad_json: ")
    assert not result.is_failure


def test_a_handshake_is_answered_and_not_mapped(folder):
    write(folder, "ask.empty", b"", {"method": "OPTIONS", "headers": {
        "WebHook-Request-Origin": "a.example"}})

    result = only(folder)

    assert (result.state, result.events) == ("answered", [])
    assert result.answer["headers"]["WebHook-Allowed-Origin"] == "a.example"


def test_an_answer_to_our_own_call_is_no_delivery(folder):
    write(folder, "rest-429.json", {"message": "slow down"}, {"status": 429})

    assert only(folder).state == "skipped"


@pytest.mark.parametrize(("name", "body", "content"), [
    ("a.form", b"a=1", {"fields": {"a": "1"}}),
    ("a.xml", b"<a/>", {"text_excerpt": "<a/>", "size_bytes": 4,
                        "content_type": "application/xml"}),
    ("a.body", b'{"a":1}', {"payload": {"a": 1}})])
def test_the_ending_of_a_file_stands_for_its_content_type(folder, name, body, content):
    write(folder, name, body)

    assert only(folder).events[0]["content"] == content


def test_a_sidecar_gives_query_and_headers(folder):
    write(folder, "a.empty", b"", {"method": "GET", "path": "/in?alarm=on",
                                   "headers": {"X-Event-Type": "Alarm"}})

    [event] = only(folder).events

    assert event["content"] == {"fields": {"alarm": "on"}}
    assert event["provider_event_type"] == "Alarm"


def test_every_line_of_a_jsonl_file_is_a_delivery(folder):
    write(folder, "day.jsonl", b'{"a":1}\n\n{"a":2}\nbroken\n')

    results = list(audit([folder]))

    assert [result.state for result in results] == ["mapped", "mapped", "quarantined"]
    assert results[1].file.endswith("day.jsonl:3")


def test_each_sub_folder_is_its_own_provider(tmp_path):
    write(tmp_path / "webhook", "a.json", {})
    write(tmp_path / "nobody", "b.json", {})

    results = {result.file.rsplit("/", 1)[1]: result for result in audit([tmp_path])}

    assert results["a.json"].provider == "webhook"
    assert results["b.json"].is_failure
    assert "--provider" in results["b.json"].error


def test_an_instance_file_may_name_the_provider(tmp_path):
    write(tmp_path / "captures", "_instance.json",
          {"provider": "webhook", "settings": {"verification": "none", "allow_unsigned": True}})
    write(tmp_path / "captures", "a.json", {})

    result = only(tmp_path)

    assert (result.provider, result.verified, result.proof) == ("webhook", True, "unsigned")


def test_the_provider_of_the_caller_wins(tmp_path):
    write(tmp_path / "slack", "a.json", {})

    assert only(tmp_path, provider="webhook").provider == "webhook"


def test_wrong_instance_settings_name_the_fields(folder):
    write(folder, "_instance.json", {"settings": {"verification": "magic"}})
    write(folder, "a.json", {})

    result = only(folder)

    assert result.is_failure
    assert "settings.verification" in result.error


def test_one_clock_serves_the_whole_run(folder):
    write(folder, "a.json", {})
    write(folder, "b.json", {})
    now = datetime(2026, 1, 2, tzinfo=UTC)

    first, second = audit([folder], now=now)

    assert first.events[0]["dedup_key"] == second.events[0]["dedup_key"]


@pytest.mark.parametrize("name", ["missing", "readme.md"])
def test_a_path_without_bodies_is_an_error_of_the_caller(tmp_path, name):
    (tmp_path / "readme.md").write_text("x")

    with pytest.raises(InvalidInput):
        list(audit([tmp_path / name]))


def test_a_sidecar_that_is_no_object_is_an_error_of_the_caller(folder):
    write(folder, "a.json", {}, [1])

    with pytest.raises(InvalidInput, match="a.headers.json"):
        list(audit([folder]))


def test_the_coverage_counts_kinds_and_failures(folder):
    write(folder, "a.json", {})
    write(folder, "b.json", {})
    write(folder, "c.json", b"broken")
    write(folder / "deeper", "_instance.json", INSTANCE)
    write(folder / "deeper", "d.json", {})

    table = coverage(audit([folder]))

    assert table["coverage"] == {"webhook": {"webhook.received": 2}}
    assert table["kinds"] == {"webhook.received": 2}
    assert table["counts"] == {"deliveries": 4, "events": 2, "mapped": 2, "quarantined": 1,
                               "refused": 1}
    assert (table["unmapped"], table["failures"]) == (0, 1)


def test_a_frame_needs_no_proof_and_gets_no_answer(folder):
    result = strange(folder, {"do": "map", "kind": "message.text", "key": "m:1"})

    assert (result.state, result.verified) == ("mapped", NOT_CHECKED)
    assert result.answer["status"] is None


def test_a_request_to_an_adapter_with_frames_needs_proof(folder):
    result = strange(folder, {"do": "map"}, {"headers": {"x": "y"}})

    assert (result.state, result.verified) == ("refused", False)


def test_an_error_in_the_mapping_is_a_failure_with_its_place(folder):
    result = strange(folder, {"do": "raise"})

    assert result.is_failure
    assert result.error.startswith("mapping_error: KeyError: 'chat' (test_audit.py:")


@pytest.mark.parametrize(("kind", "key", "problem"), [
    ("message.nope", "m:1", "'message.nope' is no kind"), ("message.text", "", "no dedup_key")])
def test_a_draft_nobody_could_store_is_a_failure(folder, kind, key, problem):
    result = strange(folder, {"do": "map", "kind": kind, "key": key})

    assert result.is_failure
    assert problem in result.error


def test_an_account_without_settings_still_has_every_field():
    settings = open_account(Strange()).settings

    assert (settings.own_name, settings.rooms, settings.limit) == ("", [], None)


def test_a_body_that_becomes_no_event_is_quarantined(folder):
    result = strange(folder, {"do": "nothing"})

    assert (result.state, result.error.partition(":")[0]) == ("quarantined", "no_events")


def test_drafts_are_shown_as_they_would_be_stored(folder):
    [event] = strange(folder, {"do": "map", "kind": "message.text", "key": "m:1"}).events

    assert event["normalizer"] == "strange@1"


@pytest.mark.parametrize("body", [{"a": 1}, {"at": "someday"}, {"at": "1066-10-14T09:00:00Z"},
                                  {"at": "2500-01-01T00:00:00Z"}])
def test_event_without_a_believable_time_is_dated_as_the_store_would(folder, body):
    rules = {"settings": {**INSTANCE["settings"], "mapping": {"time": "at"}}}
    write(folder, "_instance.json", {**INSTANCE, **rules})
    write(folder, "a.json", body, {"transport": "listen"})

    [event] = only(folder).events

    assert event["occurred_at"] == datetime(2026, 5, 28, 20, 27, tzinfo=UTC)
    assert event["occurred_at_source"] == "received"


def test_time_the_provider_told_stays(folder):
    rules = {"settings": {**INSTANCE["settings"], "mapping": {"time": "at"}}}
    write(folder, "_instance.json", {**INSTANCE, **rules})
    write(folder, "a.json", {"at": "2026-05-28T20:26:40Z"}, {"transport": "listen"})

    [event] = only(folder).events

    assert event["occurred_at"] == datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)
    assert event["occurred_at_source"] == "provider"
