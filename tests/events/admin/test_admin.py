import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from events.admin.raw import preview
from events.models import Conversation, Event, EventAction, OutboxMessage, Underived
from omni.audit import AuditEntry
from tests.admin_world import make_outbox, make_raw, make_world, sign_in
from tests.factories import make_conversation, make_event, make_instance

pytestmark = pytest.mark.django_db
EVENTS = "/admin/events/event/"
RAW = "/admin/events/rawpayload/"


def page(row, name="change", *more):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}",
                   args=[row.pk, *more])


def listed(client, url, **params):
    return [row.pk for row in client.get(url, params).context["cl"].result_list]


def test_page_of_an_event_tells_why_workflows_ran_or_did_not():
    text = sign_in().get(page(make_world().event)).content.decode()

    for told in ("1 of 2 matched", "sleeper", "event.text == &#x27;sleep&#x27;", "greeter",
                 "part of a burst", "guard.debounce", "photo.jpg", "hello, edited",
                 "Kept exactly as it arrived", "49123"):
        assert told in text, told


def test_page_of_an_event_says_what_could_not_be_derived_and_when_it_is_tried_again():
    event = make_world().event
    Underived.objects.create(event=event, error="TypeError: no list", since=timezone.now(),
                             next_try=timezone.now())

    text = sign_in().get(page(event)).content.decode()

    assert "not up to date: TypeError: no list (tries: 1; next:" in text


def test_page_of_an_event_costs_the_same_with_more_steps():
    world = make_world()
    client = sign_in()
    with CaptureQueriesContext(connection) as before:
        client.get(page(world.event))
    now = timezone.now()
    for number in range(30):
        EventAction.objects.create(
            instance=world.instance, event=world.event, run_id=world.run.pk, workflow="greeter",
            path=f"steps[{number + 1}]", step_kind="uses", status="done", started_at=now,
            ended_at=now, duration_ms=1)
        make_outbox(world.instance, key=f"omni:{number}", run_id=world.run.pk)

    with CaptureQueriesContext(connection) as after:
        client.get(page(world.event))

    assert len(after) == len(before)


@pytest.mark.parametrize("words", ["shop-message", "hello from", "{pk}"])
def test_event_is_found_by_id_message_id_or_words(words):
    world = make_world()
    make_event(world.instance, text="something else")

    found = listed(sign_in(), EVENTS, q=words.format(pk=world.event.pk))

    assert found == [world.event.pk]


@pytest.mark.parametrize(("kind", "count"), [("message.*", 2), ("message.image", 1),
                                             ("presence.*", 0), ("", 3)])
def test_type_filter_takes_families_and_kinds(kind, count):
    shop = make_instance()
    for name in ("message.text", "message.image", "call.offered"):
        make_event(shop, event_type=name)

    assert len(listed(sign_in(), EVENTS, type=kind)) == count


def test_dead_letter_filter_shows_only_those():
    shop = make_instance(credentials={"token": "t"})
    dead = make_raw(shop, reason="mapping_error")
    make_raw(shop, b'{"other": 1}')

    assert listed(sign_in(), RAW, quarantine="1") == [dead.pk]


def test_body_preview_is_escaped():
    raw = make_raw(make_instance(credentials={"token": "t"}), b'{"a": "</pre><script>"}')

    text = sign_in().get(page(raw)).content.decode()

    assert "</pre><script>" not in text and "&lt;script&gt;" in text


@pytest.mark.parametrize(("body", "told"), [
    (b'{"a":1}', "JSON"), (b"plain words", ""), (b"\x00\xff\xfe\x80" * 50, "binary"),
    (b"x" * 100_000, "first 64 KiB")])
def test_preview_says_what_is_not_shown(body, told):
    text, told_text = preview(body)

    assert told in told_text
    assert len(text) <= 64 * 1024


def test_dry_replay_shows_what_a_body_becomes_and_stores_nothing():
    raw = make_raw(make_instance(credentials={"token": "t"}), b'{"order": 7}')

    text = sign_in().post(page(raw, "do", "try_replay")).content.decode()

    assert "webhook.received" in text
    assert not Event.objects.exists()


def test_dry_replay_of_selected_rows_shows_each():
    shop = make_instance(credentials={"token": "t"})
    raws = [make_raw(shop, b'{"order": %d}' % number) for number in range(2)]

    text = sign_in().post(RAW, {"action": "replay_dry", "_selected_action": [
        raw.pk for raw in raws]}).content.decode()

    assert text.count("webhook.received") >= 2
    assert not Event.objects.exists()


def test_real_replay_stores_events_without_waking_workflows():
    raw = make_raw(make_instance(credentials={"token": "t"}), b'{"order": 7}', reason="mapping")

    sign_in().post(page(raw, "do", "store_replay"))

    event = Event.objects.get()
    assert event.raw_id == raw.pk
    assert not Event.objects.unrouted().exists()
    assert AuditEntry.objects.filter(action="delivery.replayed").exists()


@pytest.mark.parametrize(("verb", "state", "resolution"), [
    ("mark_sent", "succeeded", "person_sent"), ("mark_not_sent", "not_sent", "person_not_sent")])
def test_person_settles_an_unknown_send(verb, state, resolution):
    row = make_outbox(make_instance(credentials={"token": "t"}))

    sign_in().post(page(row, "do", verb))

    row.refresh_from_db()
    assert (row.state, row.resolution) == (state, resolution)
    assert AuditEntry.objects.filter(action="send.resolved", actor="user:boss").exists()


def test_looking_at_the_question_settles_nothing():
    row = make_outbox(make_instance(credentials={"token": "t"}))

    answer = sign_in().get(page(row, "do", "mark_sent"))

    row.refresh_from_db()
    assert answer.status_code == 200 and row.state == "unknown"


def test_settled_send_is_not_settled_twice():
    row = make_outbox(make_instance(credentials={"token": "t"}), state="succeeded")

    answer = sign_in().post(page(row, "do", "mark_not_sent"), follow=True)

    row.refresh_from_db()
    assert row.state == "succeeded"
    assert "does not apply" in answer.content.decode()


def test_sending_again_is_an_act_of_its_own():
    shop = make_instance(provider="webchat")
    row = make_outbox(shop, key="omni:1:a:0", recipient="visitor-1")

    sign_in().post(page(row, "do", "again"))

    row.refresh_from_db()
    assert row.state == "unknown"
    assert OutboxMessage.objects.filter(effect_key="omni:1:a:0:again:1").exists()


def test_labels_of_a_contact_are_a_list_of_words():
    contact = make_world().contact
    client = sign_in()

    refused = client.post(page(contact), contact_form(contact, labels='{"vip": true}'))
    taken = client.post(page(contact), contact_form(contact, labels='["partner"]'))

    contact.refresh_from_db()
    assert (refused.status_code, taken.status_code) == (200, 302)
    assert contact.labels == ["partner"]
    assert AuditEntry.objects.filter(action="contact.changed").exists()


@pytest.mark.parametrize(("typed", "stored"), [
    ("vip", ["vip"]), ("vip, awaiting-reply", ["vip", "awaiting-reply"]), ("", [])])
def test_tags_of_a_chat_without_a_title_are_saved_as_typed(typed, stored):
    place = make_world().conversation
    Conversation.objects.filter(pk=place.pk).update(title="", tags=["old"])

    answer = sign_in().post(page(place), {"title": "", "tags": typed, "aliases-TOTAL_FORMS": "0",
                                          "aliases-INITIAL_FORMS": "0"})

    place.refresh_from_db()
    assert answer.status_code == 302, answer.content.decode()[:2000]
    assert (place.title, place.tags) == ("", stored)


def test_merging_moves_the_handles():
    one, other = make_world("one").contact, make_world("other").contact

    sign_in().post(page(one, "do", "merge_into"), {"answer": str(other.pk)})

    one.refresh_from_db()
    assert one.merged_into == other
    assert other.handles.count() == 2


@pytest.mark.parametrize(("typed", "by_hand"), [("007", True), ("", False), (None, False)])
def test_name_somebody_typed_is_remembered_as_typed(typed, by_hand):
    contact = make_world().contact
    client = sign_in()

    client.post(page(contact), contact_form(
        contact, **({} if typed is None else {"name": typed})))

    contact.refresh_from_db()
    assert contact.name_by_hand is by_hand


def test_other_name_of_a_conversation_is_taken_from_it_by_its_button():
    world, client = make_world(), sign_in()
    world.conversation.aliases.create(instance=world.conversation.instance, ref="9@lid")

    client.post(page(world.conversation, "do", "take_away"), {"answer": "8@lid"})
    assert world.conversation.aliases.count() == 1
    client.post(page(world.conversation, "do", "take_away"), {"answer": "9@lid"})

    assert not world.conversation.aliases.exists()
    assert Conversation.objects.kept().get(ref="9@lid").kept_apart == [world.conversation.pk]


def test_merged_conversation_is_split_by_its_button():
    world = make_world()
    kept = make_conversation(world.instance, "kept")
    Conversation.objects.filter(pk=world.conversation.pk).update(merged_into=kept)

    client = sign_in()
    shown = client.get(page(world.conversation)).content.decode()
    client.post(page(world.conversation, "do", "split"))

    world.conversation.refresh_from_db()
    assert "Split again" in shown and world.conversation.merged_into is None


def contact_form(contact, **fields):
    return {"name": contact.name, "labels": "[]", "attributes": "{}", "handles-TOTAL_FORMS": "0",
            "handles-INITIAL_FORMS": "0", **fields}
