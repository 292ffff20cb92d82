import json

import pytest

from actions.agents import hive
from omni.errors import NotConfigured, RateLimited, Rejected, Unavailable


@pytest.fixture
def agent(make_agent):
    return make_agent("hive", settings={"agent_id": "sales"})


def fields_of(request):
    return dict(request.form.items())


def test_run_is_a_form_with_the_key_in_a_header(agent, ask, httpserver):
    httpserver.expect_request("/agents/sales/runs", method="POST",
                              headers={"X-API-Key": "sk-canary"}).respond_with_json(
        {"content": "hi", "session_id": "s1", "user_id": "u1"})

    answer = hive.answer(ask(agent))

    assert (answer.text, answer.session_id, answer.user_id) == ("hi", "s1", "u1")
    request = httpserver.log[0][0]
    assert request.mimetype == "multipart/form-data"
    assert fields_of(request) == {
        "message": "[Ana]: hello", "stream": "False", "user_id": "5511988887777",
        "session_id": "shop_5511988887777"}


def test_team_and_stream_follow_the_settings(make_agent, ask, httpserver):
    agent = make_agent("hive", settings={"agent_id": "desk", "agent_type": "team", "stream": True})
    events = [{"event": "TeamRunStarted"}, {"event": "TeamRunResponseContent", "content": "he"},
              {"event": "TeamRunResponseContent", "content": "llo"},
              {"event": "TeamRunCompleted", "content": "hello", "session_id": "s1"}]
    body = "".join(f"event: x\ndata: {json.dumps(one)}\n\n" for one in events)
    httpserver.expect_request("/teams/desk/runs").respond_with_data(
        body + "data: [DONE]\n\n", content_type="text/event-stream")

    answer = hive.answer(ask(agent))

    assert (answer.text, answer.session_id) == ("hello", "s1")
    assert fields_of(httpserver.log[0][0])["stream"] == "True"


def test_user_the_agent_told_before_is_sent(agent, ask, httpserver, ana):
    ana.attributes = {"agent_users": {"hive": "u7"}}
    httpserver.expect_request("/agents/sales/runs").respond_with_json({"content": "hi"})

    hive.answer(ask(agent))

    assert fields_of(httpserver.log[0][0])["user_id"] == "u7"


@pytest.mark.parametrize(("body", "text"), [
    ('{"content": "hi"}', "hi"),
    ('{"event":"RunStarted"}{"event":"RunResponseContent","content":"a"}'
     '{"event":"RunResponseContent","content":"b"}', "ab"),
    ('{"event":"RunResponseContent","content":"a"}\n{"event":"RunCompleted","content":"ab"}', "a"),
    ('{"event":"RunStarted"}\n{"event":"RunCompleted","content":"whole"}', "whole"),
    ('data: {"event":"RunContent","content":"a"}\n: ping\ndata: {broken\n'
     'data: {"event":"RunContent","content":"b"}\ndata: [DONE]', "ab"),
])
def test_answer_is_collected_from_every_form_of_body(body, text):
    assert hive.collect(body).text == text


@pytest.mark.parametrize("body", ["", "no json", "[]", '{"content": null}', "data: [DONE]"])
def test_body_without_content_is_an_error(body):
    with pytest.raises(Unavailable, match="without content"):
        hive.collect(body)


def test_run_that_failed_is_an_error():
    with pytest.raises(Unavailable, match="RunError"):
        hive.collect('{"event":"RunResponseContent","content":"a"}{"event":"RunError"}')


@pytest.mark.parametrize(("status", "error"), [(401, Rejected), (404, Rejected),
                                               (429, RateLimited), (502, Unavailable)])
def test_refusal_is_typed(agent, ask, httpserver, status, error):
    httpserver.expect_request("/agents/sales/runs").respond_with_data("no", status=status)

    with pytest.raises(error, match="agent 'hive'"):
        hive.answer(ask(agent))


@pytest.mark.parametrize("missing", [{"settings": {}}, {"base_url": ""}])
def test_missing_setting_is_named(make_agent, ask, missing):
    agent = make_agent("hive", **{"settings": {"agent_id": "sales"}, **missing})

    with pytest.raises(NotConfigured, match=r"agent_id|base_url"):
        hive.answer(ask(agent))
