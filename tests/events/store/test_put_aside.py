"""What waits for a person ends: dead letters, failed runs, unknown sends."""

import pytest
from django.urls import reverse

from connections.access import Principal
from events.models import OutboxMessage, PutAside, RawPayload
from events.outbox import settling
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.admin import dashboard as admin_dashboard
from registry.engine.starts import reruns
from registry.models import Run
from tests.admin_world import make_outbox, make_raw, make_world, sign_in
from tests.factories import make_instance

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


def cards(client):
    """{title: number} of the first page."""
    board = client.get(reverse("admin:index")).context["board"]
    return {card.title: card.value for card in board.cards}


def do(row, name):
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_do", args=[row.pk, name])


def listed(client, name, **query):
    rows = client.get(reverse(f"admin:{name}_changelist"), query).context["cl"].result_list
    return [row.pk for row in rows]


def test_dead_letter_put_aside_no_longer_counts_and_is_still_listed(world):
    client = sign_in()
    before = cards(client)["Dead letters"]

    client.post(do(world.raw, "put_this_aside"), {"answer": "a test of the shop"})

    assert (before, cards(client)["Dead letters"]) == ("1", "0")
    assert listed(client, "events_rawpayload", quarantine="1") == []
    assert listed(client, "events_rawpayload", quarantine="aside") == [world.raw.pk]
    page = client.get(reverse("admin:events_rawpayload_change", args=[world.raw.pk]))
    assert "by user:boss: a test of the shop" in page.content.decode()
    assert AuditEntry.objects.get(action="dead_letter.put_aside").facts == {
        "note": "a test of the shop"}


def test_new_dead_letter_counts_again(world):
    client = sign_in()
    client.post(do(world.raw, "put_this_aside"), {"answer": "seen"})

    make_raw(world.instance, b"{", reason="bad_json")

    assert cards(client)["Dead letters"] == "1"


def test_failed_run_raises_a_card_until_it_is_put_aside(world):
    client = sign_in()
    before = cards(client)["Failed"]

    client.post(do(world.run, "put_this_aside"), {"answer": "the agent was down"})

    assert (before, cards(client)["Failed"]) == ("1", "0")
    assert listed(client, "registry_run", failed="1") == []
    assert listed(client, "registry_run", failed="aside") == [world.run.pk]


def test_failed_run_that_was_repeated_waits_for_nobody(world):
    fresh = reruns.rerun(world.run, actor="user:ana")

    assert not Run.objects.failures().exists()
    assert PutAside.objects.get().note == f"repeated by run {fresh.pk}"


def test_chosen_rows_are_put_aside_with_one_note(world):
    other = make_raw(world.instance, b"{", reason="bad_json")
    understood = make_raw(world.instance, b"{}")
    client, page = sign_in(), reverse("admin:events_rawpayload_changelist")
    chosen = {"action": "put_chosen_aside",
              "_selected_action": [world.raw.pk, other.pk, understood.pk]}

    asked = client.post(page, chosen).content.decode()
    client.post(page, {**chosen, "answer": "all of one test"})

    assert "Put aside: 2 rows" in asked
    assert {row.row_id for row in PutAside.objects.all()} == {world.raw.pk, other.pk}
    assert not RawPayload.objects.open_dead_letters().exists()


def test_row_that_waits_for_nobody_offers_no_putting_aside(world):
    client = sign_in()
    client.post(do(world.run, "put_this_aside"), {"answer": "seen"})

    again = client.post(do(world.run, "put_this_aside"), {"answer": "twice"}, follow=True)

    assert "does not apply to this row any more" in again.content.decode()
    assert PutAside.objects.get().note == "seen"


def test_reader_puts_nothing_aside(world):
    client = sign_in(grants=[(world.instance, ["read"])], name="ana")

    answers = [client.post(do(row, "put_this_aside"), {"answer": "x"})
               for row in (world.raw, world.run)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert not PutAside.objects.exists()


@pytest.fixture
def lost():
    """A send of the built-in chat whose outcome nobody knows."""
    desk = make_instance("desk", "webchat", credentials={"secret": "a long random text"})
    return make_outbox(desk, recipient="v_" + "a" * 22)


def test_send_repeated_by_a_person_leaves_nothing_to_settle(lost):
    outcome = settling.send_again(lost, actor="user:ana")

    lost.refresh_from_db()
    assert outcome.state == "succeeded"
    assert (lost.state, lost.resolution) == ("unknown", "again")
    assert not OutboxMessage.objects.unresolved().exists()


def test_repeated_send_is_not_repeated_by_a_second_click(lost):
    settling.send_again(lost, actor="user:ana")
    lost.refresh_from_db()

    with pytest.raises(InvalidInput, match="sent again already"):
        settling.send_again(lost, actor="user:ana")

    assert OutboxMessage.objects.count() == 2


def test_card_and_list_of_unknown_sends_show_what_is_not_settled(lost):
    client = sign_in()
    before = cards(client)["Unknown sends"], listed(client, "events_outboxmessage", open="1")

    client.post(do(lost, "again"))

    assert before == ("1", [lost.pk])
    assert cards(client)["Unknown sends"] == "0"
    assert listed(client, "events_outboxmessage", open="1") == []


def test_cards_are_those_of_the_instances_a_person_sees(world):
    board = admin_dashboard.board(Principal("user", "user:ana", frozenset({"read"}), frozenset()))

    assert {card.title: card.value for card in board.cards}["Failed"] == "0"
