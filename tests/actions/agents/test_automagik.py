import json
import uuid

import pytest

from actions.agents import automagik
from connections.adapter import Delivery
from events.models import Attachment, Contact, RawPayload
from events.store.units import Unit
from omni.errors import NotConfigured, Unavailable

ANSWER = {"message": "hi", "success": True, "session_id": "s1", "user_id": "u-run",
          "tool_calls": [{"tool_name": "search"}, {"name": "sum"}, "odd"],
          "usage": {"request_tokens": 7, "response_tokens": 2}}
USER = str(uuid.uuid4())


@pytest.fixture
def agent(make_agent):
    return make_agent("automagik", settings={"agent_id": "simple"})


@pytest.fixture
def peer(httpserver):
    httpserver.expect_request("/api/v1/agent/simple/run", method="POST",
                              headers={"x-api-key": "sk-canary"}).respond_with_json(ANSWER)
    httpserver.expect_request("/api/v1/sessions/shop_5511988887777", method="GET",
                              headers={"x-api-key": "sk-canary"}).respond_with_json(
        {"user_id": USER})
    return httpserver


def body_of(httpserver):
    return json.loads(httpserver.log[0][0].data)


def test_run_says_what_the_first_omni_said(agent, ask, peer):
    automagik.answer(ask(agent))

    assert body_of(peer) == {
        "message_content": "[Ana]: hello", "message_limit": 100, "message_type": "text",
        "media_contents": [], "channel_payload": {}, "session_name": "shop_5511988887777",
        "session_origin": "webhook", "preserve_system_prompt": False,
        "user": {"phone_number": "+5511988887777", "email": None, "user_data": {
            "name": "Ana", "whatsapp_id": "5511988887777@s.whatsapp.net", "source": "webhook"}}}


def test_answer_carries_session_usage_and_tools(agent, ask, peer):
    answer = automagik.answer(ask(agent))

    assert (answer.text, answer.session_id, answer.tools) == ("hi", "s1", ["search", "sum"])
    assert answer.usage == {"request_tokens": 7, "response_tokens": 2}


def test_user_of_the_session_is_the_user_next_time(agent, ask, peer, ana):
    automagik.answer(ask(agent))
    automagik.answer(ask(agent, contact=Contact.objects.get(pk=ana.pk)))

    again = json.loads(peer.log[2][0].data)
    assert again["user_id"] == USER and "user" not in again


def test_user_id_that_is_no_uuid_always_becomes_the_same_one(agent, ask, peer, ana):
    ana.attributes = {"agent_users": {"automagik": "42"}}

    automagik.answer(ask(agent))

    assert body_of(peer)["user_id"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, "42"))


def test_answer_stands_when_the_session_look_up_fails(agent, ask, httpserver):
    httpserver.expect_request("/api/v1/agent/simple/run").respond_with_json(ANSWER)

    answer = automagik.answer(ask(agent))

    assert (answer.text, answer.user_id) == ("hi", "u-run")


def make_raw(event, payload):
    """An archived body; the table is partitioned and written by SQL, so by its own writer."""
    from events.store import archive, ingest

    delivery = Delivery(body=json.dumps(payload).encode(), received_at=event.received_at)
    row = archive.keep(delivery, instance_id=event.instance_id, adapter=event.instance.adapter,
                       proof="none")
    ingest.persist([Unit(instance_id=event.instance_id, provider=event.provider, drafts=[],
                                received_at=event.received_at, raw=row)])
    event.raw_id = RawPayload.objects.latest("id").pk
    event.save()


def test_whole_body_and_inline_file_are_passed_on(agent, ask, say, peer):
    event = say("look", event_type="message.image", media_kind="image")
    make_raw(event, {"data": {"message": {"base64": "aGk="}}})
    Attachment.objects.create(event=event, kind="image", mime="image/png", width=3, height=2,
                              inline_path="data.message.base64", source_url="https://x/enc")

    automagik.answer(ask(agent, event=event))

    body = body_of(peer)
    assert (body["message_type"], body["channel_payload"]) == (
        "image", {"data": {"message": {"base64": "aGk="}}})
    assert body["media_contents"] == [{"alt_text": "[Ana]: hello", "mime_type": "image/png",
                                       "data": "aGk=", "width": 3, "height": 2}]


@pytest.mark.parametrize(("kind", "message_type", "facts"), [
    ("document", "document", {"name": "a.pdf", "size_bytes": 9}),
    ("audio", "text", {"duration": 4, "size_bytes": 9}),
    ("video", "video", {"width": 0, "height": 0}),
    ("sticker", "media", {"width": 0, "height": 0})])
def test_file_without_bytes_goes_by_address(agent, ask, say, peer, kind, message_type, facts):
    event = say("look", event_type=f"message.{kind}", media_kind=kind)
    Attachment.objects.create(event=event, kind=kind, filename="a.pdf", size_bytes=9,
                              duration_ms=4200, source_url="https://x/file")

    automagik.answer(ask(agent, event=event))

    body = body_of(peer)
    assert body["message_type"] == message_type
    assert body["media_contents"] == [{"alt_text": "[Ana]: hello", "mime_type": f"{kind}/",
                                       "media_url": "https://x/file", **facts}]


@pytest.mark.parametrize("answer", [{}, {"message": {"a": 1}}, {**ANSWER, "success": False}, []])
def test_answer_that_is_none_is_an_error(agent, ask, httpserver, answer):
    httpserver.expect_request("/api/v1/agent/simple/run").respond_with_json(answer)

    with pytest.raises(Unavailable, match="agent 'automagik'"):
        automagik.answer(ask(agent))


def test_missing_agent_name_is_named(make_agent, ask):
    with pytest.raises(NotConfigured, match="settings.agent_id"):
        automagik.answer(ask(make_agent("automagik")))
