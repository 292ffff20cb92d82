"""Runs whose calls find no place at a host, or whose agent is left alone."""

import threading
import time

import pytest
from werkzeug import Response

from actions.models import Agent
from events.models import EventAction, OutboxMessage
from registry.engine.run import runner
from registry.engine.work import queue
from tests.factories import make_event, make_instance, make_run, make_workflow
from tests.full_host import full_host
from tests.registry.runs import advance, outcomes

ASK = "{id: asked, uses: route.agent.default, with: {typing: false}}"


@pytest.fixture
def start(httpserver):
    """Makes a queued run of these steps at an account whose agent and target are the server."""
    httpserver.expect_request("/agent").respond_with_json({"text": "answer"})
    httpserver.expect_request("/out").respond_with_json({"id": "m1"})
    Agent.objects.create(slug="program", name="Program", kind="http",
                         base_url=httpserver.url_for("/agent"))

    def make(steps):
        shop = make_instance(agent="program", settings={"send_url": httpserver.url_for("/out")})
        text = f"omni: 1\nid: probed\ntrigger: [{{event: message.text}}]\nsteps:\n{steps}"
        return make_run(make_event(shop, text="hello", conversation_ref="ana"),
                        workflow=make_workflow(text))

    return make


@pytest.mark.parametrize("step", [
    ASK, "{uses: route.reply, with: {text: hi, typing: false}}",
    "{decide: {using: program, question: which, options: {a: [], b: []}}}"])
@pytest.mark.django_db
def test_step_whose_host_is_full_is_put_off_and_is_no_attempt(start, httpserver, settings, step):
    run = start(f"  - {step}\n")

    with full_host(httpserver.url_for(""), settings):
        advance(run)

    assert (run.state, run.ended_at, httpserver.log) == ("queued", None, [])
    assert "steps[0] waits: as many calls to" in run.reason and "OMNI_HOST_SHARE" in run.reason
    assert outcomes(run) == [] and not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_step_that_was_put_off_is_done_when_there_is_room(start, httpserver, settings):
    run = start(f"  - {ASK}\n  - {{uses: route.reply, with: {{text: hi, typing: false}}}}\n")
    with full_host(httpserver.url_for(""), settings):
        advance(run)

    advance(run)

    assert run.state == "done"
    assert outcomes(run) == [("steps[0]", 1, "done"), ("steps[1]", 1, "done")]
    assert OutboxMessage.objects.get().attempts == 1


@pytest.mark.django_db(transaction=True)
def test_arms_beyond_the_share_are_asked_later_and_each_once(start, httpserver, settings):
    settings.OMNI_PARALLEL_STEPS, settings.OMNI_WORKER_THREADS = 4, 1

    def slowly(_request):
        threading.Event().wait(0.6)
        return Response('{"text": "answer"}', content_type="application/json")

    httpserver.clear_all_handlers()
    httpserver.expect_request("/agent").respond_with_handler(slowly)
    arms = "".join(f"        a{number}: [{{id: a{number}, uses: route.agent.default, "
                   f"with: {{typing: false}}}}]\n" for number in range(4))
    run = start(f"  - parallel:\n{arms}")

    end = time.monotonic() + 20
    while run.state != "done" and time.monotonic() < end:
        for claim in queue.claim("w1", limit=1):
            runner.advance(claim)
        threading.Event().wait(0.02)
        run.refresh_from_db()

    asked = EventAction.objects.filter(run_id=run.pk, action="route.agent.default")
    assert run.state == "done" and len(httpserver.log) == 4
    assert set(asked.values_list("attempt", "status")) == {(1, "done")} and asked.count() == 4


@pytest.mark.django_db
def test_run_whose_agent_is_left_alone_fails_as_unavailable_with_the_reason(
        start, httpserver, settings):
    settings.OMNI_BREAKER_FAILURES = 1
    run = start(f"  - {{id: first, uses: route.agent.default, on_error: continue, "
                f"with: {{typing: false}}}}\n  - {ASK}\n")
    httpserver.clear_all_handlers()
    httpserver.expect_request("/agent").respond_with_data("", status=503)

    advance(run)

    assert outcomes(run) == [("steps[0]", 1, "failed"), ("steps[1]", 1, "unavailable")]
    assert run.state == "failed" and run.code == "breaker_open"
    assert "is left alone: it failed 1 times in a row since" in run.reason
    assert len(httpserver.log) == 1
