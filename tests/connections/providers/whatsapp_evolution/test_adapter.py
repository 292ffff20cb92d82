"""What came of a send, judged against real servers on loopback."""

import socket
import threading

import pytest

from connections.adapter import Delivery
from connections.envelope import OutboundMessage
from connections.library import adapters
from connections.providers.whatsapp_evolution.adapter import WhatsAppEvolution

RITA = "351922000002@s.whatsapp.net"
TEXT = OutboundMessage(kind="text", to=RITA, text="Olá")
ADAPTER = WhatsAppEvolution()


def test_library_finds_the_adapter():
    assert isinstance(adapters()["whatsapp_evolution"], WhatsAppEvolution)


def test_drafts_carry_the_version_of_the_mapping(load, account):
    found = ADAPTER.normalize(load("message.text__plain"), Delivery(body=b""), account())

    assert [draft.normalizer for draft in found] == ["whatsapp_evolution@1"]


def test_mapping_knows_the_configured_addresses(load, account):
    found = ADAPTER.normalize(load("message.text__group_mention"), Delivery(body=b""),
                              account(own_lid="200000000000001"))

    assert found[0].mentions_self


def test_receipt_of_a_send_is_kept_without_its_text(here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_json({
        "key": {"remoteJid": RITA, "fromMe": True, "id": "3EB0"}, "status": "PENDING",
        "message": {"conversation": "Olá"}, "messageTimestamp": 1772442900}, 201)

    result = ADAPTER.send(TEXT, here())

    assert result.provider_message_id == "3EB0"
    assert result.answer == {"status": "PENDING", "remote_jid": RITA, "timestamp": "1772442900"}


@pytest.mark.parametrize(("status", "outcome", "retryable"), [
    (400, "rejected", False), (401, "rejected", False), (403, "rejected", False),
    (404, "rejected", False), (302, "rejected", False),
    (408, "unknown", False), (409, "unknown", False), (500, "unknown", False),
    (503, "unknown", False)])
def test_status_tells_what_came_of_a_send(status, outcome, retryable, here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_data("no", status)

    result = ADAPTER.send(TEXT, here())

    assert (result.status, result.retryable, result.error_code) == (
        outcome, retryable, str(status))
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(("status", "header", "wait"), [
    (429, {"retry-after": "7"}, 7.0), (429, {}, None), (503, {"retry-after": "1.5"}, 1.5),
    (429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0)])
def test_server_that_is_busy_may_be_asked_again(status, header, wait, here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_data(
        "slow down", status, headers=header)

    result = ADAPTER.send(TEXT, here())

    assert (result.status, result.error_code, result.retryable, result.retry_after) == (
        "rejected", "rate_limited", True, wait)


def test_unknown_number_is_told_in_words(here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_json({
        "status": 400, "error": "Bad Request", "response": {"message": [
            {"jid": RITA, "exists": False, "number": "351922000002"}]}}, 400)

    result = ADAPTER.send(TEXT, here())

    assert result.error == "Evolution answered 400: 351922000002 is not on WhatsApp"


def test_error_never_repeats_a_secret(here, httpserver):
    httpserver.expect_request("/message/sendText/sol").respond_with_json(
        {"response": {"message": ["bad key k-secret", "header s-secret"]}}, 401)

    result = ADAPTER.send(TEXT, here(credentials={"webhook_secret": "s-secret"}))

    assert result.error == "Evolution answered 401: bad key [secret]; header [secret]"


def test_server_that_is_not_there_means_not_sent(here):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"

        result = ADAPTER.send(TEXT, here(base_url=address))

    assert (result.status, result.retryable) == ("not_sent", True)


def test_private_address_is_not_called(here, httpserver, settings):
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = False

    result = ADAPTER.send(TEXT, here())

    assert (result.status, httpserver.log) == ("not_sent", [])


@pytest.fixture
def silent_server():
    """The address of a server that takes the request and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    server.close()


@pytest.fixture
def hanging_up_server():
    """The address of a server that reads the request and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def hang_up():
        connection, _ = server.accept()
        connection.recv(1024)
        connection.close()

    thread = threading.Thread(target=hang_up, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    thread.join(timeout=5)
    server.close()


def test_silence_after_the_request_is_an_unknown_outcome(silent_server, here):
    result = ADAPTER.send(TEXT, here(base_url=silent_server, timeout_seconds=0.2))

    assert (result.status, result.retryable) == ("unknown", False)


def test_hanging_up_after_the_request_is_an_unknown_outcome(hanging_up_server, here):
    result = ADAPTER.send(TEXT, here(base_url=hanging_up_server))

    assert (result.status, result.retryable) == ("unknown", False)


def test_presence_does_not_wait_for_its_end(silent_server, here):
    shown = OutboundMessage(kind="presence", to=RITA, content={"state": "typing", "seconds": 0.1})

    assert ADAPTER.send(shown, here(base_url=silent_server)).status == "succeeded"


@pytest.mark.parametrize("message", [
    OutboundMessage(kind="read", to=RITA, target_message_id="AC01"),
    OutboundMessage(kind="presence", to=RITA, content={"state": "typing", "seconds": 1})])
def test_lost_presence_or_read_mark_needs_no_reconciling(message, hanging_up_server, here):
    result = ADAPTER.send(message, here(base_url=hanging_up_server))

    assert (result.status, result.error_code, result.retryable) == (
        "rejected", "harmless", False)


@pytest.mark.parametrize(("options", "missing"), [({"base_url": ""}, "base_url"),
                                                  ({"credentials": {"api_key": ""}}, "api_key")])
def test_account_without_address_or_key_cannot_send(options, missing, here):
    result = ADAPTER.send(TEXT, here(**options))

    assert (result.status, result.error_code) == ("rejected", "not_configured")
    assert missing in result.error
