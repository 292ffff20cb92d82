"""A writer of a group, known by a hidden id only, is mentioned by it; code arrives in one piece."""

import pytest

from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from tests.factories import evolution_text, make_evolution, post_delivery, switch_on

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
GROUP, LID = "120363000000000001@g.us", "200000000000003@lid"
MENTION_BACK = """\
omni: 1
id: mention-back
claim: reply
trigger: [{event: message.text, where: event.direction == 'inbound'}]
steps:
  - uses: route.reply
    with:
      text: ${{ TEXT }}
      pause_min: 0
      pause_max: 0
"""


@pytest.fixture
def shop(httpserver):
    httpserver.expect_request("/chat/sendPresence/shop").respond_with_json({}, status=201)
    httpserver.expect_request("/message/sendText/shop").respond_with_json({}, status=201)
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"))


def answer(client, shop, httpserver, expression, more=""):
    """The bodies the server was sent for one message of the group."""
    switch_on(MENTION_BACK.replace("TEXT", expression) + more)
    body = evolution_text("AC1", "mention me", chat=GROUP)
    body["data"]["key"]["participant"] = LID
    post_delivery(client, shop, body)
    while routing.route():
        pass
    while claims := queue.claim("test", limit=10):
        for claim in claims:
            runner.advance(claim)
    return [request.get_json() for request, _ in httpserver.log
            if request.path == "/message/sendText/shop"]


NUMBER = "'@' + split(event.provider_actor_ref, '@')[0]"


@pytest.mark.parametrize("more", [
    '      mentions: ["${{ event.provider_actor_ref }}"]\n', ""])
def test_hidden_id_is_mentioned_once_and_whole(client, shop, httpserver, more):
    sent = answer(client, shop, httpserver, f"'hello ' + {NUMBER} + ' welcome'", more)

    assert sent == [{"number": GROUP, "text": "hello @200000000000003 welcome",
                     "mentioned": [LID]}]


def test_mention_goes_with_the_message_that_writes_it(client, shop, httpserver):
    first, second = answer(client, shop, httpserver, f"'hello\\n\\nbye ' + {NUMBER}",
                           '      mentions: ["${{ event.provider_actor_ref }}"]\n')

    assert "mentioned" not in first
    assert (second["text"], second["mentioned"]) == ("bye @200000000000003", [LID])


def test_code_arrives_in_one_message(client, shop, httpserver):
    sent = answer(client, shop, httpserver, "'run\\n\\n```\\na\\n\\nb\\n```\\n\\ndone'")

    assert [body["text"] for body in sent] == ["run", "```\na\n\nb\n```", "done"]
