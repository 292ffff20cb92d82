import json

import pytest

from actions.agents import http
from omni.errors import NotConfigured, Unavailable


@pytest.fixture
def agent(make_agent, httpserver):
    return make_agent("http", base_url=httpserver.url_for("/answer"))


def test_program_gets_the_event_and_answers_with_a_text(agent, ask, httpserver):
    httpserver.expect_request(
        "/answer", method="POST", headers={"Authorization": "Bearer sk-canary",
                                           "Idempotency-Key": "omni:1:steps[0]:agent"},
    ).respond_with_json({"text": "hi", "session_id": "s1", "user_id": 7, "memory": "likes tea",
                         "usage": {"request_tokens": 3}})

    answer = http.answer(ask(agent))

    assert (answer.text, answer.session_id, answer.user_id, answer.memory, answer.usage) == (
        "hi", "s1", "7", "likes tea", {"request_tokens": 3})
    body = json.loads(httpserver.log[0][0].data)
    assert (body["text"], body["session"]) == ("[Ana]: hello", "shop_5511988887777")
    assert (body["event"]["text"], body["contact"]["name"], body["instance"]["slug"]) == (
        "hello", "Ana", "shop")


@pytest.mark.parametrize("answer", [{}, {"text": None}, {"text": 7}, ["text"]])
def test_answer_without_text_is_an_error(agent, ask, httpserver, answer):
    httpserver.expect_request("/answer").respond_with_json(answer)

    with pytest.raises(Unavailable, match="agent 'http'"):
        http.answer(ask(agent))


def test_missing_address_is_named(make_agent, ask):
    with pytest.raises(NotConfigured, match="base_url"):
        http.answer(ask(make_agent("http", base_url="")))
