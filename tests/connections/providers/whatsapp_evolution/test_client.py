"""Media, set-up and health: the other calls, against a real server on loopback."""

import base64

import pytest
from werkzeug import Response

from connections.envelope import Attachment
from connections.providers.whatsapp_evolution.adapter import WhatsAppEvolution
from connections.providers.whatsapp_evolution.client import SUBSCRIPTIONS, EvolutionClient
from omni.errors import Rejected, Unavailable
from tests.full_host import full_host

ADAPTER = WhatsAppEvolution()


def test_media_is_opened_by_the_server(here, httpserver):
    httpserver.expect_oneshot_request(
        "/chat/getBase64FromMediaMessage/sol", method="POST", headers={"apikey": "k-secret"},
        json={"message": {"key": {"id": "AC20"}}, "convertToMp4": False}).respond_with_json(
        {"mediaType": "imageMessage", "base64": base64.b64encode(b"pixels").decode()}, 201)
    attachment = Attachment(kind="image", source_url="https://mmg.example.net/f.enc",
                            encryption={"mediaKey": "AA=="})

    assert ADAPTER.fetch_media(attachment, "AC20", here()) == b"pixels"


def test_stored_media_is_fetched_from_the_storage_without_our_key(here, httpserver):
    httpserver.expect_request("/files/ac22.png").respond_with_data(b"pixels")
    attachment = Attachment(kind="image", source_url=httpserver.url_for("/files/ac22.png"))

    found = ADAPTER.fetch_media(attachment, "AC22", here())

    assert found == b"pixels"
    assert "apikey" not in httpserver.log[0][0].headers


def test_server_steps_in_where_the_storage_does_not_answer(here, httpserver):
    httpserver.expect_request("/files/gone.png").respond_with_data("no", 403)
    httpserver.expect_request("/chat/getBase64FromMediaMessage/sol").respond_with_json(
        {"base64": base64.b64encode(b"pixels").decode()}, 201)
    attachment = Attachment(kind="image", source_url=httpserver.url_for("/files/gone.png"))

    assert ADAPTER.fetch_media(attachment, "AC22", here()) == b"pixels"


@pytest.mark.parametrize("answer", [
    Response("{}", 404), Response('{"base64": ""}', 201), Response('{"base64": "!"}', 201),
    Response("[]", 201), Response("busy", 500), Response("busy", 429)])
def test_media_that_is_gone_is_unavailable(answer, here, httpserver):
    httpserver.expect_request("/chat/getBase64FromMediaMessage/sol").respond_with_response(answer)

    with pytest.raises(Unavailable):
        ADAPTER.fetch_media(Attachment(kind="image"), "AC20", here())


WEBHOOK = {"enabled": True, "url": "https://omni.example.org/hook", "byEvents": False,
           "base64": False, "events": list(SUBSCRIPTIONS),
           "headers": {"x-sol": "s1", "jwt_key": "j1"}}


def test_set_up_registers_the_webhook_with_its_secrets(here, httpserver):
    httpserver.expect_oneshot_request(
        "/webhook/set/sol", method="POST", json={"webhook": WEBHOOK}).respond_with_json({}, 201)

    facts = ADAPTER.set_up(
        here(credentials={"webhook_secret": "s1", "jwt_key": "j1"}, webhook_header="x-sol"),
        webhook_url="https://omni.example.org/hook")

    httpserver.check()
    assert (facts["instance"], facts["created"]) == ("sol", False)
    assert "s1" not in str(facts) and "j1" not in str(facts)


def test_set_up_creates_an_instance_the_server_does_not_know(here, httpserver):
    httpserver.expect_oneshot_request("/webhook/set/sol").respond_with_json(
        {"status": 404, "response": {"message": ["The \"sol\" instance does not exist"]}}, 404)
    httpserver.expect_oneshot_request("/instance/create", method="POST", json={
        "instanceName": "sol", "integration": "WHATSAPP-BAILEYS", "qrcode": True,
        "groupsIgnore": True, "webhook": {**WEBHOOK, "headers": {}}}).respond_with_json(
        {"instance": {"instanceName": "sol"}, "hash": "new-token"}, 201)

    facts = ADAPTER.set_up(here(ignore_groups=True), webhook_url="https://omni.example.org/hook")

    httpserver.check()
    assert facts["created"] and "new-token" not in str(facts)


def test_set_up_says_why_it_was_refused(here, httpserver):
    httpserver.expect_request("/webhook/set/sol").respond_with_json(
        {"response": {"message": "Unauthorized"}}, 401)

    with pytest.raises(Rejected, match="401: Unauthorized"):
        ADAPTER.set_up(here(), webhook_url="https://omni.example.org/hook")


def test_open_connection_is_healthy_without_a_qr_code(here, httpserver):
    httpserver.expect_request("/instance/connectionState/sol", method="GET").respond_with_json(
        {"instance": {"instanceName": "sol", "state": "open"}})

    assert ADAPTER.health(here()) == {"state": "connected", "detail": "open", "qr": None}
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(("native", "state"), [("close", "disconnected"),
                                               ("connecting", "connecting"), ("odd", "unknown")])
def test_connection_that_is_not_open_offers_its_qr_code(native, state, here, httpserver):
    httpserver.expect_request("/instance/connectionState/sol").respond_with_json(
        {"instance": {"state": native}})
    httpserver.expect_request("/instance/connect/sol", method="GET").respond_with_json(
        {"pairingCode": None, "code": "2@x", "base64": "data:image/png;base64,QUJD", "count": 1})

    assert ADAPTER.health(here()) == {
        "state": state, "detail": native, "qr": "data:image/png;base64,QUJD"}


def test_health_of_an_unreachable_server_is_unknown(here, httpserver):
    httpserver.expect_request("/instance/connectionState/sol").respond_with_json(
        {"response": {"message": ["no such instance"]}}, 404)

    found = ADAPTER.health(here())

    assert found == {"state": "unknown", "qr": None,
                     "detail": "Evolution answered 404: no such instance"}


def test_logout_unpairs_the_account(here, httpserver):
    httpserver.expect_oneshot_request("/instance/logout/sol", method="DELETE").respond_with_json({})

    EvolutionClient(here()).logout()

    httpserver.check()


def test_health_of_a_server_with_too_many_calls_is_unknown_and_says_why(here, httpserver,
                                                                        settings):
    with full_host(httpserver.url_for(""), settings):
        health = ADAPTER.health(here())

    assert health["state"] == "unknown" and "OMNI_HOST_SHARE" in health["detail"]
