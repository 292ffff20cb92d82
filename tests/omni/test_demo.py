"""The demo's day: told as its providers would, and played through the real front door."""

import json
import re
import signal
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from werkzeug import Response

from connections import library
from connections.envelope import Attachment, OutboundMessage
from connections.models import Instance
from events.models import Event, Knock, RawPayload
from omni.demo import instances, orders, player, site, whatsapp
from omni.demo.instances import lead_to, ready_parts
from omni.demo.player import Player
from omni.demo.script import OPENS, Turn, line
from omni.demo.stand_in import StandIn
from omni.management.commands import demo

LINES = [one for part in instances.ALL for one in part.LINES]
KINDS = {one.kind for one in LINES}


def make_turn(tag="t"):
    return Turn(tag=tag, now=lambda: datetime.now(UTC), credentials={
        part.SLUG: part.new_credentials() for part in instances.ALL})


@pytest.fixture
def hurried(monkeypatch):
    """No waiting between a send and what becomes of it."""
    for name in ("DELIVERED_AFTER", "READ_AFTER", "PAUSE_SECONDS"):
        monkeypatch.setattr(player, name, 0.0)
    monkeypatch.setattr(player, "LINGER_SECONDS", 0.2)


def test_day_has_more_than_a_hundred_deliveries_in_the_order_of_the_clock():
    for part in instances.ALL:
        times = [one.at for one in part.LINES]
        assert times == sorted(times) and times[0] >= 0, part.SLUG
    assert len(LINES) > 110


@pytest.mark.parametrize(("clock", "seconds"), [(OPENS, 0.0), ("08:01:30", 90.0)])
def test_clock_counts_from_the_opening(clock, seconds):
    assert line(clock, "ana", "message").at == seconds


@pytest.mark.parametrize("part", instances.ALL, ids=lambda part: part.SLUG)
def test_lines_speak_only_of_earlier_lines(part):
    known = {"last"}
    for one in part.LINES:
        assert {one.facts.get("about", "last"), one.facts.get("answers", "last")} <= known, one
        known |= {one.facts.get("ref"), *one.facts.get("refs", ())}


def test_ids_name_one_line_of_one_turn():
    first, second = make_turn("a"), make_turn("b")

    assert first.id_of("x") == first.id_of("x")
    assert len({first.id_of("x"), second.id_of("x"), first.id_of("y")}) == 3


@pytest.mark.django_db
def test_second_start_uses_the_same_instances_and_secrets():
    first = {instance.pk: instance.credentials for _, instance in ready_parts()}

    second = {instance.pk: instance.credentials for _, instance in ready_parts()}

    assert second == first
    assert len(first) == len(instances.ALL)


@pytest.mark.django_db
def test_archived_instance_is_not_played():
    ready_parts()
    Instance.objects.filter(slug=site.SLUG).update(archived_at=timezone.now())

    assert site not in [part for part, _ in ready_parts()]


@pytest.mark.django_db
def test_provider_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.delitem(library.adapters(), orders.PROVIDER)

    assert [part for part, _ in ready_parts()] == [whatsapp, site]
    assert not Instance.objects.filter(slug=orders.SLUG).exists()


@pytest.mark.django_db
def test_leading_to_a_stand_in_keeps_what_people_changed():
    _, instance = ready_parts()[0]
    instance.settings = {**instance.settings, "timeout_seconds": 5.0}

    lead_to(whatsapp, instance, "http://127.0.0.1:9")

    stored = Instance.objects.get(pk=instance.pk).settings
    assert (stored["base_url"], stored["timeout_seconds"]) == ("http://127.0.0.1:9", 5.0)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def stand_in(sent):
    server = StandIn(api_key="key", on_sent=lambda *said: sent.append(said),
                     files=lambda: {"M1": b"voice"})
    yield server
    server.close()


def account_at(stand_in, api_key="key"):
    return Instance(slug=whatsapp.SLUG, provider=whatsapp.PROVIDER,
                    settings=whatsapp.settings(base_url=stand_in.url),
                    credentials={"api_key": api_key}).account()


def test_stand_in_takes_what_the_adapter_sends(stand_in, sent):
    adapter = library.get(whatsapp.PROVIDER)

    result = adapter.send(OutboundMessage("text", to="12025550111", text="hi"),
                          account_at(stand_in))

    chat = "12025550111@s.whatsapp.net"
    assert result.status == "succeeded"
    assert sent == [(chat, result.provider_message_id)]
    assert stand_in.last_sent(chat) == result.provider_message_id


def test_stand_in_gives_out_files_and_the_state(stand_in):
    adapter, account = library.get(whatsapp.PROVIDER), account_at(stand_in)

    found = adapter.fetch_media(Attachment("audio"), "M1", account)

    assert found == b"voice"
    assert adapter.health(account)["state"] == "connected"


def test_stand_in_refuses_another_key(stand_in, sent):
    result = library.get(whatsapp.PROVIDER).send(
        OutboundMessage("text", to="12025550111", text="hi"), account_at(stand_in, "wrong"))

    assert (result.status, result.error_code, sent) == ("rejected", "401", [])


def test_stand_in_knows_only_the_calls_of_the_real_server(stand_in):
    status, told = stand_in.answer("POST", "/nothing", "key", {})

    assert (status, told["error"]) == (404, "Not Found")


@pytest.fixture
def door(httpserver):
    """A front door that notes what comes; the first knock finds it busy."""
    def take(request):
        return Response(status=202 if httpserver.log else 503)

    httpserver.expect_request(re.compile("/webhooks/.*")).respond_with_handler(take)
    return httpserver


def play(door, *parts, **options):
    said = []
    played = Player([(part, part.new_credentials()) for part in parts],
                    url=door.url_for("").rstrip("/"), speed=1e9, say=said.append, **options)
    return played, said


def test_busy_door_is_tried_again_with_the_same_bytes(door, hurried):
    played, said = play(door, orders)

    played.play(once=True)

    first, second = (request.get_data() for request, _ in door.log[:2])
    assert first == second
    assert played.answers == {202: len(orders.LINES)}
    assert f"{len(orders.LINES)} x 202" in said[0]


def test_repeated_delivery_is_the_same_byte_for_byte(door, hurried):
    played, _ = play(door, whatsapp)

    played.play(once=True)

    bodies = Counter(request.get_data() for request, answer in door.log
                     if answer.status_code == 202)
    repeats = [one for one in whatsapp.LINES if one.kind == "again"]
    assert sorted(bodies.values())[-2:] == [1, 2] and len(repeats) == 1


def test_what_is_sent_is_told_as_delivered_and_read(door, hurried):
    played, _ = play(door, whatsapp)
    played.last_sent = lambda chat: played.sent(chat, "SENT") or "SENT"

    played.play(once=True)

    told = [json.loads(request.get_data())["data"] for request, _ in door.log
            if b'"keyId": "SENT"' in request.get_data()]
    assert [data["status"] for data in told] == ["DELIVERY_ACK", "READ"]


@pytest.mark.parametrize(("arguments", "reason"), [
    (["--speed", "0"], "above 0"), (["--speed", "fast"], "above 0"), ([], "Nothing answers")])
def test_start_that_cannot_work_says_why(settings, monkeypatch, arguments, reason):
    settings.OMNI_PORT = 1
    monkeypatch.setattr(demo, "START_SECONDS", 0.0)

    with pytest.raises(CommandError, match=reason):
        call_command("demo", *arguments)


def test_without_private_addresses_nothing_is_made(settings):
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = False

    with pytest.raises(CommandError, match="OMNI_ALLOW_PRIVATE_ADDRESSES=127"):
        call_command("demo")


@pytest.fixture
def played(live_server, settings, hurried):
    """The whole day, once, against a real server; what the command said."""
    settings.OMNI_HOST, settings.OMNI_PORT = "127.0.0.1", urlsplit(live_server.url).port
    settings.ALLOWED_HOSTS = ["*"]
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    out = StringIO()
    call_command("demo", "--once", "--speed", "1000000", stdout=out)
    for number, handler in before.items():
        signal.signal(number, handler)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_whole_day_comes_in_and_only_what_should_is_refused_or_unknown(played):
    unmapped = Event.objects.filter(event_type="event.unmapped")

    assert "2 x 401" in played and "503" not in played
    assert set(unmapped.values_list("provider_event_type", flat=True)) == {
        "newsletter.metadata", "survey"}
    assert [raw.quarantine_reason for raw in RawPayload.objects.dead_letters()] == ["bad_json"]
    typed = sum(line.kind == "typing" for line in LINES)  # passed on, not stored
    assert sum(RawPayload.objects.values_list("deliveries", flat=True)) == len(LINES) - 2 - typed
    assert RawPayload.objects.filter(deliveries=2).count() == 3
    assert set(Knock.objects.values_list("reason", flat=True)) == {"signature_mismatch"}
    kinds = set(Event.objects.values_list("event_type", flat=True))
    assert {"message.text", "message.audio", "message.image", "message.sticker", "message.reaction",
            "message.reaction_removed", "message.edited", "message.deleted", "message.poll",
            "poll.vote", "participant.joined", "participant.left", "presence.typing",
            "call.offered", "call.missed", "call.ended", "connection.opened", "connection.closed",
            "commerce.order", "ticket.created", "message.status.read", "message.location",
            "message.contact", "message.document", "message.pinned"} <= kinds
