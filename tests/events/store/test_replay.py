"""An archived delivery through today's mapping again: dry by default, only what is new for real."""

import pytest

from events.models import Event, RawPayload
from events.store import state
from events.store.replay import replay
from registry.engine.route import routing
from registry.models import Run
from tests.events.deliveries import change_mapping, deliver, make_shop
from tests.factories import switch_on

pytestmark = pytest.mark.django_db
OTHER = {"event_type": "message.text", "id": "other", "text": "text"}
BODY = {"id": "1", "other": "2", "text": "hi"}


@pytest.fixture
def shop():
    return make_shop()


def test_dry_run_shows_what_would_come_out_and_stores_nothing(shop):
    raw = deliver(shop, BODY)
    change_mapping(shop, **OTHER)

    shown = replay(raw)

    assert [draft.text for draft in shown.drafts] == ["hi"]
    assert (shown.new, shown.stored, shown.error) == (["m:2"], [], "")
    assert Event.objects.count() == 1 and RawPayload.objects.count() == 1


def test_known_event_is_neither_new_nor_changed_and_stays_one(shop):
    raw = deliver(shop, BODY)

    done = replay(raw, dry_run=False)

    assert (done.new, done.changed, done.stored) == ([], [], [])
    assert Event.objects.count() == 1


def test_for_real_only_the_new_event_is_added_with_its_archive_row(shop):
    raw = deliver(shop, BODY)
    change_mapping(shop, **OTHER)

    done = replay(raw, dry_run=False)

    added = Event.objects.get(pk=done.stored[0])
    assert (added.source, added.raw_id, added.received_at) == ("replay", raw.pk, raw.received_at)
    assert replay(raw, dry_run=False).stored == [] and Event.objects.count() == 2


def test_replayed_message_and_its_edit_are_linked_and_seen_without_waking_anything(shop):
    said = deliver(shop, BODY)
    changed = deliver(shop, {"id": "3", "of": "2", "text": "better"})
    change_mapping(shop, event_type="message.text", id="other", message_id="other", text="text")
    first = replay(said, dry_run=False).stored[0]
    change_mapping(shop, event_type="message.edited", id="text", target="of", text="text")

    edit = Event.objects.get(pk=replay(changed, dry_run=False).stored[0])

    assert edit.target_event_id == first
    assert state.of(shop.pk, "2").text == "better"


def test_other_content_under_a_known_key_is_a_revision(shop):
    raw = deliver(shop, {**BODY, "said": "better"})
    change_mapping(shop, event_type="message.text", id="id", text="said")

    done = replay(raw, dry_run=False)

    assert done.changed == ["m:1"] and Event.objects.get(pk=done.stored[0]).text == "better"
    assert Event.objects.get(dedup_key="m:1").text == "hi"


@pytest.mark.parametrize(("allow_effects", "runs"), [(False, 0), (True, 1)])
def test_new_events_wake_workflows_only_when_that_is_allowed(shop, allow_effects, runs):
    raw = deliver(shop, BODY)
    routing.route()
    switch_on()
    change_mapping(shop, **OTHER)

    replay(raw, dry_run=False, allow_effects=allow_effects)
    routing.route()

    assert Run.objects.count() == runs


def test_delivery_that_still_cannot_be_read_says_why(shop):
    raw = deliver(shop, b"not json")

    done = replay(raw, dry_run=False)

    assert done.error.startswith("bad_json: ") and done.drafts == []
    assert RawPayload.objects.get().quarantine_reason == "bad_json"


def test_dead_letter_that_became_events_is_one_no_more(shop):
    raw = deliver(shop, BODY)
    Event.objects.all().delete()
    RawPayload.objects.filter(pk=raw.pk).update(quarantine_reason="mapping_error", event_count=0)
    raw.refresh_from_db()

    replay(raw, dry_run=False)

    raw = RawPayload.objects.get()
    assert (raw.quarantine_reason, raw.event_count) == ("", 1)
    assert raw.quarantine_detail == "replayed; was mapping_error"
