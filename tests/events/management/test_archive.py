"""`manage.py archive`: the exact bodies out as JSON lines, and in again."""

import json
import stat
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events.models import Event, RawPayload
from tests.events.deliveries import deliver, make_shop
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
FIRST = {"id": "1", "text": "first", "odd": "\u00e3\u2028"}


def export(*arguments):
    out = StringIO()
    call_command("archive", "export", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def take_in(path, *arguments, code=0):
    """(counts of the last line, complaints) of an import."""
    out, complaints = StringIO(), StringIO()
    try:
        call_command("archive", "import", str(path), *arguments, stdout=out, stderr=complaints)
        ended = 0
    except SystemExit as exc:
        ended = exc.code
    assert ended == code
    counts = dict(part.split()[:2] for part in out.getvalue().split(" (")[0].split(", "))
    return {name: int(count) for name, count in counts.items()}, complaints.getvalue()


def forget_everything():
    Event.objects.all().delete()
    RawPayload.objects.all().delete()


@pytest.fixture
def shop():
    return make_shop()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "day.jsonl"


def test_imported_delivery_has_the_same_bytes_and_event(shop, file):
    sent = deliver(shop, FIRST)
    file.write_text(export())
    forget_everything()

    counts, _ = take_in(file)

    raw, event = RawPayload.objects.get(), Event.objects.get()
    assert counts == {"new": 1, "duplicate": 0, "dead_letter": 0, "bad": 0}
    assert (bytes(raw.body), raw.sha256) == (bytes(sent.body), sent.sha256)
    assert (raw.received_at, raw.verified_by) == (sent.received_at, "import")
    assert (event.text, event.source, event.raw_id) == ("first", "import", raw.pk)


@pytest.mark.parametrize(("arguments", "is_routed"), [([], True), (["--route"], False)])
def test_imported_events_wake_workflows_only_when_asked(shop, file, arguments, is_routed):
    deliver(shop, FIRST)
    file.write_text(export())
    forget_everything()

    take_in(file, *arguments)

    assert (Event.objects.get().routed_at is not None) == is_routed


def test_importing_twice_gives_one_event_and_one_row(shop, file):
    deliver(shop, FIRST)
    file.write_text(export())

    counts, _ = take_in(file)

    assert (counts["new"], counts["duplicate"]) == (0, 1)
    assert (Event.objects.count(), RawPayload.objects.count()) == (1, 1)


def test_dry_run_counts_alike_and_stores_nothing(shop, file):
    deliver(shop, FIRST)
    first = export()
    deliver(shop, {"id": "2"})
    file.write_text(export())
    forget_everything()
    (file.parent / "first").write_text(first)
    take_in(file.parent / "first")

    counts, _ = take_in(file, "--dry-run")

    assert (counts["new"], counts["duplicate"]) == (1, 1)
    assert Event.objects.count() == 1


def test_bad_lines_are_named_and_the_others_go_on(shop, file):
    deliver(shop, FIRST)
    good = json.loads(export())
    forget_everything()
    lines = ["nonsense", "", "[1]", json.dumps(good | {"instance": "gone"}),
             json.dumps(good | {"body_base64": "e30="}), json.dumps(good | {"body_base64": "?"}),
             json.dumps({name: good[name] for name in good if name != "path"}),
             json.dumps(good | {"received_at": "2026-03-02T09:00:00"}),
             json.dumps(good | {"redacted": True, "sha256": "x"}), json.dumps(good)]
    file.write_text("\n".join(lines))

    counts, complaints = take_in(file, code=1)

    assert counts == {"new": 1, "duplicate": 0, "dead_letter": 0, "bad": 8}
    assert [line.split(":")[0] for line in complaints.splitlines()] == [
        f"line {number}" for number in (1, 3, 4, 5, 6, 7, 8, 9)]
    assert "no instance 'gone'" in complaints
    assert "sha256 differs" in complaints


def test_dead_letter_stays_one_with_its_reason(shop, file):
    sent = deliver(shop, b"[" * 300 + b"]" * 300)
    file.write_text(export("--dead-letters"))
    forget_everything()

    counts, complaints = take_in(file)

    assert counts["dead_letter"] == 1
    assert sent.quarantine_reason in complaints
    assert RawPayload.objects.get().quarantine_reason == sent.quarantine_reason


def test_blanked_body_keeps_the_digest_of_what_arrived(file):
    phone = make_instance("phone", provider="whatsapp_evolution",
                          settings={"allow_unsigned": True})
    sent = deliver(phone, {"event": "connection.update", "instance": "phone",
                           "data": {"state": "open"}, "apikey": "canary-key"})
    file.write_text(export())
    forget_everything()

    take_in(file)

    raw = RawPayload.objects.get()
    assert "canary" not in file.read_text()
    assert (raw.redacted, raw.sha256) == (True, sent.sha256)


def test_export_narrows_by_instance(shop):
    deliver(shop, FIRST)
    deliver(make_shop("other"), FIRST)

    lines = export("--instance", "other").splitlines()

    assert [json.loads(line)["instance"] for line in lines] == ["other"]


def test_exported_file_is_for_its_owner_only_and_complete(shop, file):
    deliver(shop, FIRST)

    export("--out", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["provider"] == "webhook"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("arguments", [
    ["import", "/nowhere/day.jsonl"], ["export", "--out", "/nowhere/day.jsonl"]])
def test_file_that_cannot_be_opened_is_named(arguments):
    with pytest.raises(CommandError, match="/nowhere/day.jsonl cannot be"):
        call_command("archive", *arguments)
