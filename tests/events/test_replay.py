"""An archived delivery through today's mapping again."""

import pytest

from connections.models import Instance
from events import archive
from events.models import Event, MessageState, RawPayload
from events.replay import replay
from tests.factories import evolution_text, make_evolution, make_webhook, post_delivery

pytestmark = pytest.mark.django_db


def archived(client, instance, body):
    """The archive row of a delivery that went through the door."""
    answer = post_delivery(client, instance, body).json()
    return archive.read(answer.get("raw_id") or RawPayload.objects.latest("id").pk)


def change_mapping(instance, **rules):
    Instance.objects.filter(pk=instance.pk).update(settings={"mapping": rules})


def test_dry_run_shows_what_would_come_out_and_stores_nothing(client):
    raw = archived(client, make_evolution(), evolution_text("AC1"))
    Event.objects.all().delete()

    replayed = replay(raw)

    assert (replayed.new, replayed.stored) == (["m:AC1"], [])
    assert [draft.text for draft in replayed.drafts] == ["hello"]
    assert not Event.objects.exists() and RawPayload.objects.get().deliveries == 1


def test_replay_of_known_events_adds_nothing(client):
    raw = archived(client, make_evolution(), evolution_text("AC1"))

    replayed = replay(raw, dry_run=False)

    assert (replayed.new, replayed.changed, replayed.stored) == ([], [], [])
    assert Event.objects.count() == 1


def test_changed_mapping_is_shown_and_stored_as_a_revision(client):
    shop = make_webhook(mapping={"id": "id", "text": "a", "event_type": "message.text"})
    raw = archived(client, shop, {"id": "1", "a": "old", "b": "new"})
    change_mapping(shop, id="id", text="b", event_type="message.text")

    shown = replay(raw)
    stored = replay(raw, dry_run=False)

    assert shown.changed == stored.changed == ["m:1"]
    revision = Event.objects.get(pk=stored.stored[0])
    assert (revision.text, revision.source, revision.raw_id) == ("new", "replay", raw.pk)


@pytest.mark.parametrize("allow_effects", [False, True])
def test_replayed_events_wake_workflows_only_on_purpose(client, allow_effects):
    raw = archived(client, make_evolution(), evolution_text("AC1"))
    Event.objects.all().delete()

    replayed = replay(raw, dry_run=False, allow_effects=allow_effects)

    event = Event.objects.get(pk=replayed.stored[0])
    assert (event.routed_at is None) is allow_effects


def test_replayed_message_has_its_state_although_it_is_not_routed(client):
    raw = archived(client, make_evolution(), evolution_text("AC1"))
    Event.objects.all().delete()

    replay(raw, dry_run=False)

    assert MessageState.objects.get().text == "hello"


def test_dead_letter_that_became_an_event_is_one_no_more(client):
    shop = make_webhook()
    raw = archived(client, shop, b"{")
    RawPayload.objects.filter(pk=raw.pk).update(content_type="text/plain",
                                                headers={"content-type": "text/plain"})

    replayed = replay(archive.read(raw.pk), dry_run=False)

    settled = RawPayload.objects.get()
    assert len(replayed.stored) == 1 and settled.event_count == 1
    assert (settled.quarantine_reason, settled.quarantine_detail) == (
        "", "replayed; was bad_json")


def test_body_that_still_cannot_be_read_says_why(client):
    raw = archived(client, make_webhook(), b"{")

    replayed = replay(raw, dry_run=False)

    assert replayed.error.startswith("bad_json: ") and replayed.drafts == []
    assert RawPayload.objects.get().quarantine_reason == "bad_json"


def test_delivery_without_an_id_is_recognized_by_its_bytes_and_time(client):
    raw = archived(client, make_webhook(), {"a": 1})

    assert (replay(raw).new, replay(raw).changed) == ([], [])


@pytest.mark.parametrize("header", ["svix-id", "webhook-id", "x-github-delivery"])
def test_delivery_named_by_a_header_is_recognized(client, header):
    shop = make_webhook()
    post_delivery(client, shop, {"a": 1}, **{header: "d-1"})

    assert replay(RawPayload.objects.get()).new == []
