"""The command `audit_payloads` prints what the audit found and fails when something failed."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from connections.envelope import DRAFT_FIELDS


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "webhook"
    place.mkdir()
    (place / "order.json").write_text('{"type": "order.paid", "timestamp": "2026-05-28T20:26:40Z"}')
    return place


def run(*arguments) -> str:
    out = StringIO()
    call_command("audit_payloads", *map(str, arguments), stdout=out)
    return out.getvalue()


def refuse(folder):
    (folder / "_instance.json").write_text("{}")


def test_json_has_one_object_per_delivery_and_the_coverage_last(folder):
    rule = {"settings": {"verification": "none", "allow_unsigned": True,
                         "mapping": {"type": "type", "time": "timestamp"}}}
    (folder / "_instance.json").write_text(json.dumps(rule))

    delivery, table = map(json.loads, run(folder, "--json").splitlines())

    assert {"file", "provider", "verified", "answer", "events", "error"} <= set(delivery)
    assert set(delivery["events"][0]) == set(DRAFT_FIELDS)
    assert delivery["events"][0]["occurred_at"] == "2026-05-28T20:26:40+00:00"
    assert table["kinds"] == {"custom.order.paid": 1}
    assert (table["unmapped"], table["failures"]) == (0, 0)


def test_the_table_for_people_names_file_kind_and_totals(folder):
    shown = run(folder)

    assert "order.json" in shown
    assert "webhook.received" in shown
    assert "not checked" in shown
    assert "1 deliveries, 1 events" in shown


def test_a_failure_ends_the_command_with_an_error(folder):
    refuse(folder)

    with pytest.raises(CommandError, match="1 of 1 deliveries failed"):
        run(folder)


def test_an_instance_file_may_be_given(folder, tmp_path):
    refuse(folder)
    given = tmp_path / "other.json"
    given.write_text('{"settings": {"verification": "none", "allow_unsigned": true}}')

    assert " yes " in run(folder, "--instance", given)


def test_a_provider_may_be_given(folder):
    moved = folder.rename(folder.parent / "somewhere")

    assert "webhook.received" in run(moved / "order.json", "--provider", "webhook")


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="no body files"):
        run(tmp_path)


def test_an_unknown_provider_is_named_with_its_neighbour(folder):
    out = StringIO()

    with pytest.raises(CommandError):
        call_command("audit_payloads", str(folder), "--provider", "webhok", stdout=out)

    assert "did you mean 'webhook'?" in out.getvalue()


def test_control_characters_of_a_payload_do_not_reach_the_terminal(folder):
    (folder / "odd\x1b[2J.json").write_text("{}")

    assert "\x1b" not in run(folder)
