"""An archived or disabled account sends nothing, however far what wanted to send had come."""

import pytest
from django.utils import timezone

from actions import presence
from actions.base import Context
from connections.envelope import OutboundMessage, SendResult
from connections.models import Instance
from events.models import EventAction, OutboxMessage
from events.outbox import deliver
from omni.errors import InvalidInput
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import (
    ANA,
    evolution_text,
    make_event,
    make_evolution,
    make_sent,
    post_delivery,
    switch_on,
)
from tests.registry.runs import advance, work

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
OFF = pytest.mark.parametrize("change", [
    {"enabled": False}, {"enabled": False, "archived_at": timezone.now()}],
    ids=["disabled", "archived"])
LATE = """\
omni: 1
id: late
trigger: [{event: message.text}]
steps:
  - wait: 2h
  - id: answer
    uses: route.reply
    with: {text: late}
"""
NOTICE = LATE.replace("""route.reply
    with: {text: late}""", """meta.notify.webhook
    with: {url: "URL/out"}""")


@pytest.fixture
def shop(httpserver):
    """An account at a peer that takes whatever comes."""
    httpserver.expect_request("/message/sendText/shop").respond_with_json(
        {"key": {"id": "OUT1", "remoteJid": ANA, "fromMe": True}}, status=201)
    httpserver.expect_request("/out").respond_with_json({})
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"))


def switch_off(shop, change):
    """As another process does it: rows in memory do not know."""
    Instance.objects.filter(pk=shop.pk).update(**change)


@OFF
@pytest.mark.parametrize("text", [LATE, NOTICE], ids=["reply", "notice"])
def test_run_that_waited_sends_nothing_and_says_why(client, shop, httpserver, change, text):
    switch_on(text.replace("URL", httpserver.url_for("").rstrip("/")))
    post_delivery(client, shop, evolution_text("AC1"))
    work()
    switch_off(shop, change)

    run = advance(Run.objects.get())

    outcome = EventAction.objects.get(run_id=run.pk, path="steps[1]")
    assert (run.state, outcome.status, outcome.code) == ("failed", "failed", "instance_off")
    assert "nothing was sent: instance 'shop' is" in outcome.reason
    assert httpserver.log == [] and not OutboxMessage.objects.exists()


@OFF
@pytest.mark.parametrize("retried", [False, True])
def test_row_of_an_account_that_was_just_switched_off_is_not_believed(shop, httpserver, change,
                                                                      retried):
    if retried:
        make_sent(shop, state="not_sent", effect_key="e:1")
    switch_off(shop, change)

    with pytest.raises(InvalidInput) as refused:
        deliver.send(OutboundMessage(kind="text", to=ANA, text="hi"), instance=shop,
                     effect_key="e:1")

    assert refused.value.code == "instance_off" and httpserver.log == []


@OFF
def test_what_was_sent_before_is_still_said_to_be_sent(shop, change):
    def call(_):
        return SendResult("succeeded", provider_message_id="m1")

    facts = {"instance": shop, "effect_key": "e:1", "kind": "http", "recipient": "peer",
             "request": {}, "call": call}
    deliver.perform(**facts)
    switch_off(shop, change)

    again = deliver.perform(**facts)

    assert (again.state, again.duplicate) == ("succeeded", True)


@OFF
def test_typing_is_not_shown(shop, httpserver, change):
    event = make_event(shop, conversation_ref=ANA)
    switch_off(shop, change)

    presence.show(event, Context(instance=shop, effect_key="e", deadline=0), "typing")

    assert httpserver.log == []


@OFF
def test_caller_of_the_api_is_told_what_is_off(shop, httpserver, change):
    switch_off(shop, change)

    answer = post_json(client_of("send"), "/api/v1/messages/send/",
                       {"instance": "shop", "to": ANA, "text": "hello"})

    assert answer.status_code == 409
    assert answer.data["code"] in ("instance_off", "instance_archived") and httpserver.log == []


def test_archived_account_is_not_set_up(shop, httpserver):
    switch_off(shop, {"archived_at": timezone.now()})

    answer = post_json(client_of("admin"), "/api/v1/instances/shop/set-up/", {})

    assert (answer.status_code, answer.data["code"]) == (409, "instance_archived")
    assert httpserver.log == []


def test_account_that_is_on_again_sends(shop, httpserver):
    switch_off(shop, {"enabled": False})
    Instance.objects.filter(pk=shop.pk).update(enabled=True)

    sent = deliver.send(OutboundMessage(kind="text", to=ANA, text="hi"), instance=shop,
                        effect_key="e:1")

    assert sent.state == "succeeded" and len(httpserver.log) == 1
