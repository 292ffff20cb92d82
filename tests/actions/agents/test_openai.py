import json

import pytest

from actions.agents import openai
from events.models import MessageState
from omni.errors import NotConfigured


@pytest.fixture
def agent(make_agent, httpserver):
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        {"choices": [{"message": {"content": "hi"}}], "usage": {"prompt_tokens": 7}})
    return make_agent("openai", base_url=httpserver.url_for("/v1"), settings={
        "model": "small", "instructions": "Be short.", "temperature": 0, "unknown": 1})


def body_of(httpserver):
    return json.loads(httpserver.log[0][0].data)


def test_model_gets_instructions_history_and_prompt(agent, ask, say, httpserver):
    say("first")
    say("our answer", direction="outbound", from_me=True)
    say("a note", direction="internal")

    answer = openai.answer(ask(agent, "second"))

    assert (answer.text, answer.usage) == ("hi", {"request_tokens": 7})
    assert body_of(httpserver) == {
        "model": "small", "temperature": 0, "stream": False, "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "our answer"},
            {"role": "user", "content": "[Ana]: second"}]}
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer sk-canary"


def test_only_so_many_earlier_messages_are_told(agent, ask, say, httpserver):
    for number in range(5):
        say(f"message {number}")

    openai.answer(ask(agent, "now", history=2))

    said = [message["content"] for message in body_of(httpserver)["messages"]]
    assert said == ["Be short.", "message 3", "message 4", "[Ana]: now"]


def test_deleted_message_is_not_told(agent, ask, say, instance, httpserver):
    gone = say("my password", provider_message_id="m1")
    MessageState.objects.create(instance=instance, provider_message_id="m1",
                                deleted_at=gone.occurred_at)

    openai.answer(ask(agent))

    assert "password" not in httpserver.log[0][0].get_data(as_text=True)


def test_edited_message_is_told_as_it_is_now(agent, ask, say, instance, httpserver):
    old = say("at nin", provider_message_id="m1")
    MessageState.objects.create(instance=instance, provider_message_id="m1", text="at nine",
                                edited_at=old.occurred_at)

    openai.answer(ask(agent, "now"))

    said = [message["content"] for message in body_of(httpserver)["messages"]]
    assert said[1:-1] == ["at nine"]


def test_group_history_has_names_and_stays_in_the_group(agent, ask, say, group, httpserver):
    say("direct words")
    say("group words", conversation=group)

    openai.answer(ask(agent, event=say("now", conversation=group)))

    said = [message["content"] for message in body_of(httpserver)["messages"]]
    assert said[1:-1] == ["[Ana]: group words"]


def test_missing_model_names_the_setting(make_agent, ask):
    agent = make_agent("openai", base_url="", settings={})

    with pytest.raises(NotConfigured, match="OMNI_LLM_BASE_URL"):
        openai.answer(ask(agent))
