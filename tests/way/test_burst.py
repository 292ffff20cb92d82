"""The whole way of a burst: several webhooks, edits and deletions, one run, one question."""

import pytest

from actions.models import Agent
from registry.engine.starts import reruns
from registry.models import Run
from tests.factories import ANA, evolution_text, make_evolution, post_delivery, switch_on
from tests.registry.runs import work

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
ASK = """\
omni: 1
id: ask
trigger: [{event: message.text}]
debounce: {quiet: 6s}
steps:
  - id: agent
    uses: route.agent.default
    with: {prompt: "${{ event.batch_text }}", history: 0, typing: false}
"""


@pytest.fixture
def shop(httpserver):
    httpserver.expect_request("/agent", method="POST").respond_with_json({"text": "fine"})
    Agent.objects.create(slug="echo", name="Echo", kind="http",
                         base_url=httpserver.url_for("/agent"))
    switch_on(ASK)
    return make_evolution(base_url=httpserver.url_for("").rstrip("/"), agent="echo")


def say(client, shop, message_id, text, second):
    answer = post_delivery(client, shop, evolution_text(
        message_id, text, messageTimestamp=1772442900 + second))
    assert answer.status_code == 202


def edit(client, shop, message_id, text):
    return post_delivery(client, shop, {
        "event": "messages.edited", "instance": "shop", "data": {
            "key": {"remoteJid": ANA, "fromMe": False, "id": message_id}, "type": "MESSAGE_EDIT",
            "editedMessage": {"conversation": text}, "timestampMs": 1772442990000}})


def delete(client, shop, message_id):
    return post_delivery(client, shop, {
        "event": "messages.delete", "instance": "shop",
        "data": {"remoteJid": ANA, "fromMe": False, "id": message_id}})


def asked(httpserver):
    return [request.get_json()["text"] for request, _ in httpserver.log
            if request.path == "/agent"]


def after_the_burst(clock):
    work()
    clock.forward(seconds=7)
    work()


def test_agent_is_asked_in_the_order_things_were_written(client, shop, httpserver, clock):
    say(client, shop, "B2", "second", 5)
    say(client, shop, "B1", "first", 1)

    after_the_burst(clock)

    assert asked(httpserver) == ["first\nsecond"]
    assert Run.objects.get().event.text == "second"


def test_agent_is_asked_with_what_was_edited_meanwhile(client, shop, httpserver, clock):
    say(client, shop, "B1", "frist", 1)
    say(client, shop, "B2", "secnod", 2)
    work()
    edit(client, shop, "B1", "first")
    edit(client, shop, "B2", "second")

    after_the_burst(clock)

    assert asked(httpserver) == ["first\nsecond"]


def test_agent_is_not_told_what_was_deleted_meanwhile(client, shop, httpserver, clock):
    say(client, shop, "B1", "keep this", 1)
    say(client, shop, "B2", "never mind", 2)
    work()
    delete(client, shop, "B2")

    after_the_burst(clock)

    assert asked(httpserver) == ["keep this"]
    assert Run.objects.get().event.provider_message_id == "B1"


def test_burst_that_was_deleted_whole_asks_nobody_and_says_so(client, shop, httpserver, clock):
    say(client, shop, "B1", "oops", 1)
    say(client, shop, "B2", "oops", 2)
    work()
    delete(client, shop, "B1")
    delete(client, shop, "B2")

    after_the_burst(clock)

    run = Run.objects.get()
    assert asked(httpserver) == []
    assert (run.state, run.code, run.reason) == (
        "ignored", "deleted", "every message of the burst was deleted before the run began")


def test_edit_that_joined_the_burst_is_not_said_twice(client, shop, probe, clock):
    switch_on("""\
omni: 1
id: look
trigger: [{event: message.*}]
debounce: {quiet: 6s}
steps: [{uses: custom.look, with: {say: "${{ event.batch_text }}/${{ len(event.batch) }}"}}]
""")
    say(client, shop, "B1", "helo", 1)
    edit(client, shop, "B1", "hello")

    after_the_burst(clock)

    assert probe.calls == ["hello/1"]


def test_rerun_of_a_burst_asks_with_what_is_there_now(client, shop, httpserver, clock):
    say(client, shop, "B1", "keep this", 1)
    say(client, shop, "B2", "never mind", 2)
    after_the_burst(clock)
    delete(client, shop, "B2")
    edit(client, shop, "B1", "keep that")
    work()

    for _ in range(2):
        reruns.rerun(Run.objects.get(replay_no=0), actor="test")
        work()

    assert asked(httpserver) == ["keep this\nnever mind", "keep that", "keep that"]


def test_run_that_has_begun_goes_on_when_its_burst_is_deleted(client, shop, probe, clock):
    switch_on("""\
omni: 1
id: look
trigger: [{event: message.text}]
debounce: {quiet: 6s}
steps: [{wait: 1h}, {uses: custom.look, with: {say: "${{ event.batch_text }}"}}]
""")
    say(client, shop, "B1", "one", 1)
    after_the_burst(clock)
    delete(client, shop, "B1")
    work()
    clock.forward(hours=2)

    work()

    assert probe.calls == ["one"] and Run.objects.get(workflow__slug="look").state == "done"
