"""`manage.py replay`: what archived deliveries become with today's mapping."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from events.models import Event, RawPayload
from omni.audit import AuditEntry
from tests.events.deliveries import change_mapping, deliver, make_shop

pytestmark = pytest.mark.django_db


def replay(*arguments, fails=False):
    """The JSON lines of the command, the last one being the sums."""
    out = StringIO()
    if fails:
        with pytest.raises(SystemExit) as ended:
            call_command("replay", *arguments, "--json", stdout=out)
        assert ended.value.code == 1
    else:
        call_command("replay", *arguments, "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def shop():
    return make_shop()


@pytest.fixture
def dead(shop):
    """A dead letter: nested deeper than anything is read, and then repaired by hand."""
    raw = deliver(shop, b"[" * 300 + b"]" * 300)
    assert raw.quarantine_reason
    return raw


def repair(raw):
    RawPayload.objects.filter(pk=raw.pk).update(body=b'{"id": "9", "text": "at last"}')


def test_dry_run_tells_new_changed_and_known_apart_and_stores_nothing(shop):
    known, changed = deliver(shop, {"id": "1", "text": "a"}), deliver(shop, {"id": "2", "b": "x"})
    fresh = deliver(shop, {"id": "3", "text": "c"})
    change_mapping(shop, event_type="message.text", id="id", text="b")
    Event.objects.filter(raw_id=fresh.pk).delete()
    Event.objects.filter(raw_id=known.pk).update(
        fingerprint=Event.objects.get(raw_id=known.pk).fingerprint)
    before = Event.objects.count()

    *lines, sums = replay("--raw", str(changed.pk), str(fresh.pk))

    assert [event["event_type"] for event in lines[0]["changed"]] == ["message.text"]
    assert [event["event_type"] for event in lines[1]["new"]] == ["message.text"]
    assert (sums["dry_run"], sums["new"], sums["changed"], sums["stored"]) == (True, 1, 1, 0)
    assert Event.objects.count() == before
    assert not AuditEntry.objects.exists()


def test_unchanged_delivery_is_known(shop):
    raw = deliver(shop, {"id": "1", "text": "a"})

    [line, sums] = replay("--raw", str(raw.pk))

    assert (len(line["known"]), line["new"], line["changed"]) == (1, [], [])
    assert sums["known"] == 1


def test_dead_letter_that_is_understood_now_becomes_an_unrouted_event(shop, dead):
    repair(dead)

    [line, sums] = replay("--dead-letters", "--for-real")

    event = Event.objects.get(pk=line["stored"][0])
    assert (event.text, event.source, event.state) == ("at last", "replay", "not_routed")
    assert sums["stored"] == 1
    assert not RawPayload.objects.dead_letters().exists()
    assert AuditEntry.objects.get().facts["stored"] == 1


def test_with_effects_allowed_the_event_waits_for_the_router(dead):
    repair(dead)

    [line, _] = replay("--dead-letters", "--for-real", "--allow-effects")

    assert Event.objects.get(pk=line["stored"][0]).routed_at is None


def test_body_that_still_fails_is_an_error_and_the_others_go_on(shop, dead):
    fine = deliver(shop, {"id": "1", "text": "a"})

    *lines, sums = replay("--instance", "shop", fails=True)

    assert [line["raw_id"] for line in lines] == [dead.pk, fine.pk]
    assert dead.quarantine_reason in lines[0]["error"]
    assert (lines[1]["error"], sums["errors"]) == (None, 1)


def test_instance_whose_settings_no_longer_fit_is_an_error_of_its_lines(shop):
    raw = deliver(shop, {"id": "1"})
    shop.settings = {"mapping": 5}
    shop.save()

    [line, _] = replay("--raw", str(raw.pk), fails=True)

    assert "settings.mapping" in line["error"]


def test_delivery_that_is_not_archived_is_an_error():
    [line, _] = replay("--raw", "77", fails=True)

    assert (line["raw_id"], "not archived" in line["error"]) == (77, True)


def test_time_and_instance_narrow_the_choice(shop):
    other = make_shop("other")
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    for hours in (-2, 0, 2):
        deliver(shop, {"id": str(hours)}, at=noon + timedelta(hours=hours))
    wanted = RawPayload.objects.get(received_at=noon)
    deliver(other, {"id": "x"}, at=noon)

    *lines, _ = replay("--instance", "shop", "--since", "2026-03-02T11:00",
                       "--until", "2026-03-02T15:00+02:00")

    assert [line["raw_id"] for line in lines] == [wanted.pk]


@pytest.mark.parametrize(("arguments", "reason"), [
    ([], "Say which deliveries"),
    (["--raw", "1", "--allow-effects"], "needs --for-real"),
    (["--instance", "nowhere"], "no instance 'nowhere'"),
    (["--since", "yesterday"], "2026-03-02T09:15"),
])
def test_arguments_that_make_no_sense_are_refused(arguments, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("replay", *arguments)


def test_text_names_kinds_and_says_that_nothing_was_stored(shop):
    raw = deliver(shop, {"id": "1", "text": "a"})
    out = StringIO()

    call_command("replay", "--raw", str(raw.pk), stdout=out)

    assert f"raw {raw.pk}  shop  known message.text" in out.getvalue()
    assert "nothing was stored" in out.getvalue()
