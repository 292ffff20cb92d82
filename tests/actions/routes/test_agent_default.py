import json
import threading
import time

import pytest
from werkzeug import Response

from actions.routes.agent_default import AgentOutput, AgentParams, agent_default
from connections.http import bulkhead
from omni.errors import Held
from tests.full_host import full_host


@pytest.fixture
def program(make_agent, httpserver):
    """An agent that is a program at the loopback server; call it with its answer."""
    make_agent("http", slug="program", base_url=httpserver.url_for("/answer"))

    def answers(text="hi", **options):
        httpserver.expect_request("/answer").respond_with_json({"text": text}, **options)
        return httpserver

    return answers


def run(event, context, **params):
    return agent_default(event, AgentParams(**{"typing": False, "agent": "program", **params}),
                         context)


def asked(httpserver):
    return json.loads(httpserver.log[0][0].data)


def test_answer_is_handed_on_with_session_and_agent(say, context, program):
    program("hi")

    outcome = run(say(), context)

    assert outcome.status == "done"
    assert AgentOutput(**outcome.output) == AgentOutput(
        text="hi", session="shop_5511988887777", agent="program")


def test_nothing_is_sent(say, context, program, outbox):
    program("hi")

    run(say(), context)

    assert outbox.messages == []


def test_event_is_asked_with_the_name_before_it(say, context, program):
    server = program()

    run(say("hello"), context)

    assert asked(server)["text"] == "[Ana]: hello"


@pytest.mark.parametrize(("params", "text"), [
    ({"prompt": "all of it"}, "all of it"),
    ({"prompt": "all of it", "name_prefix": True}, "[Ana]: all of it"),
    ({"prompt": ""}, "[Ana]: hello"),
    ({"name_prefix": False}, "hello")])
def test_given_prompt_is_asked_as_it_is(say, context, program, params, text):
    server = program()

    run(say("hello"), context, **params)

    assert asked(server)["text"] == text


def test_named_session_wins(say, context, program):
    program()

    assert run(say(), context, session="desk").output["session"] == "desk"


@pytest.mark.parametrize("text", ["AUTOMAGIK: stay quiet", " AUTOMAGIK:", "", "  "])
def test_agent_may_say_nothing(say, context, program, text):
    program(text)

    outcome = run(say(), context)

    assert (outcome.status, outcome.output["text"], outcome.output["silent"]) == ("done", "", True)


def test_event_without_words_and_files_is_not_asked(say, context, program):
    server = program()

    outcome = run(say(None, event_type="message.location"), context)

    assert (outcome.status, outcome.output["silent"], server.log) == ("skipped", True, [])


def test_unknown_agent_is_unavailable_and_named(say, context):
    outcome = run(say(), context, agent="nobody")

    assert (outcome.status, outcome.code) == ("unavailable", "not_configured")
    assert "nobody" in outcome.reason


@pytest.mark.parametrize(("status", "code"), [
    (401, "denied"), (403, "denied"), (404, "rejected"), (500, "provider_5xx"), (302, "rejected")])
def test_failure_has_the_code_retries_go_by(say, context, program, status, code):
    program(status=status)

    outcome = run(say(), context)

    assert (outcome.status, outcome.code) == ("failed", code)


@pytest.mark.parametrize(("status", "header", "wait"), [
    (429, {"Retry-After": "9"}, 9.0), (429, {}, None), (503, {"Retry-After": "1.5"}, 1.5)])
def test_busy_agent_says_when_to_come_back(say, context, program, status, header, wait):
    program(status=status, headers=header)

    outcome = run(say(), context)

    assert (outcome.code, outcome.output.get("retry_after")) == ("rate_limited", wait)


def test_agent_that_is_away_is_a_network_failure(say, context, make_agent, unused_tcp_port):
    make_agent("http", slug="program", base_url=f"http://127.0.0.1:{unused_tcp_port}/")

    assert run(say(), context).code == "not_sent"


def test_step_time_bounds_a_patient_agent(say, context, make_agent, httpserver, slowly):
    make_agent("http", slug="program", base_url=httpserver.url_for("/slow"), timeout=60)
    httpserver.expect_request("/slow").respond_with_handler(slowly)
    context.deadline = time.monotonic() + 0.3

    begun = time.monotonic()
    outcome = run(say(), context)

    assert outcome.code == "timeout" and time.monotonic() - begun < 10


def test_error_text_stands_for_an_agent_that_failed(say, context, program):
    program(status=500)

    outcome = run(say(), context, error_text="Sorry!")

    assert outcome.status == "done"
    assert (outcome.output["text"], outcome.output["error"]) == ("Sorry!", "provider_5xx")


@pytest.mark.parametrize(("in_groups", "status"), [(False, "failed"), (True, "done")])
def test_error_text_is_off_in_groups_unless_asked_for(say, context, program, group, in_groups,
                                                      status):
    program(status=500)

    outcome = run(say(conversation=group), context, error_text="Sorry!",
                  error_text_in_groups=in_groups)

    assert outcome.status == status


def test_error_never_repeats_the_key_or_the_peers_words(say, context, make_agent, httpserver):
    make_agent("http", slug="program", base_url=httpserver.url_for("/answer"))
    httpserver.expect_request("/answer").respond_with_data("sk-canary is wrong", status=401)

    assert "canary" not in run(say(), context).reason


def test_built_in_agent_answers_without_any_key(say, context):
    outcome = run(say("bom dia"), context, agent="")

    assert (outcome.output["agent"], outcome.output["text"][:3]) == ("default", "Olá")


def held_back(release, text):
    def handler(request):
        release.wait(10)
        return Response(json.dumps({"text": text}), content_type="application/json")

    return handler


@pytest.mark.parametrize(("text", "marks"), [
    ("hi", ["typing"]), ("AUTOMAGIK: quiet", ["typing", "paused"])])
def test_typing_is_shown_meanwhile_and_taken_back_when_nothing_follows(
        say, context, make_agent, httpserver, monkeypatch, text, marks):
    make_agent("http", slug="program", base_url=httpserver.url_for("/answer"))
    release, shown = threading.Event(), []

    def signal(message, *, instance):
        shown.append(message.content["state"])
        release.set()

    monkeypatch.setattr("events.outbox.deliver.signal", signal)
    httpserver.expect_request("/answer").respond_with_handler(held_back(release, text))

    run(say(), context, typing=True, typing_after=0.01, typing_every=60)

    assert shown == marks


def test_agent_that_failed_often_is_unavailable_with_the_reason(say, context, program, settings):
    settings.OMNI_BREAKER_FAILURES = 2
    server = program(status=500)
    for _ in range(2):
        run(say(), context)

    outcome = run(say(), context)

    assert (outcome.status, outcome.code) == ("unavailable", "breaker_open")
    assert "is left alone: it failed 2 times in a row" in outcome.reason
    assert outcome.output["retry_after"] > 0 and len(server.log) == 2


def test_error_text_stands_for_an_agent_that_is_left_alone(say, context, program, settings):
    settings.OMNI_BREAKER_FAILURES = 1
    program(status=500)
    run(say(), context)

    outcome = run(say(), context, error_text="Sorry!")

    assert (outcome.output["text"], outcome.output["error"]) == ("Sorry!", "breaker_open")


def test_question_that_is_put_off_is_not_answered_with_the_error_text(say, context, program,
                                                                      settings):
    server = program()

    with full_host(server.url_for(""), settings), pytest.raises(Held), \
            bulkhead.step_of(1, repeatable=False):
        run(say(), context, error_text="Sorry!")

    assert server.log == []
