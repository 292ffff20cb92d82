import pytest

from actions import ask
from omni.errors import NotConfigured, RateLimited, Rejected, Unavailable, UnknownOutcome

HELLO = [{"role": "user", "content": "hello"}]
ANSWER = {"model": "small-1", "choices": [{"message": {"role": "assistant", "content": "hi"}}],
          "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}


@pytest.fixture
def model(settings, httpserver):
    settings.OMNI_LLM_BASE_URL = httpserver.url_for("/v1")
    settings.OMNI_LLM_MODEL = "small"
    settings.OMNI_LLM_API_KEY = "sk-canary"
    return httpserver


def test_model_is_asked_with_key_model_and_messages(model):
    model.expect_oneshot_request(
        "/v1/chat/completions", method="POST", headers={"Authorization": "Bearer sk-canary"},
        json={"model": "small", "messages": HELLO, "stream": False, "temperature": 0},
    ).respond_with_json(ANSWER)

    reply = ask.chat(HELLO, timeout=5, options={"temperature": 0})

    assert reply == ask.Reply("hi", "small-1", {"request_tokens": 7, "response_tokens": 2})


def test_our_key_is_not_sent_to_another_address(model):
    model.expect_request("/other/chat/completions").respond_with_json(ANSWER)

    ask.chat(HELLO, timeout=5, base_url=model.url_for("/other"))

    assert "Authorization" not in model.log[0][0].headers


@pytest.mark.parametrize("setting", ["OMNI_LLM_BASE_URL", "OMNI_LLM_MODEL"])
def test_missing_setting_is_named(model, settings, setting):
    setattr(settings, setting, "")

    with pytest.raises(NotConfigured, match=setting) as caught:
        ask.chat(HELLO, timeout=5)

    assert caught.value.setting == setting


@pytest.mark.parametrize(("status", "error"), [
    (401, Rejected), (404, Rejected), (429, RateLimited), (500, Unavailable), (503, Unavailable)])
def test_refusal_is_typed_and_keeps_no_words_of_the_peer(model, status, error):
    model.expect_request("/v1/chat/completions").respond_with_data("sk-canary", status=status)

    with pytest.raises(error) as caught:
        ask.chat(HELLO, timeout=5)

    assert "canary" not in caught.value.message


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": {}}]},
                                    {"choices": [{"message": {"content": None}}]}])
def test_answer_without_text_is_an_error(model, answer):
    model.expect_request("/v1/chat/completions").respond_with_json(answer)

    with pytest.raises(Unavailable, match="without a text"):
        ask.chat(HELLO, timeout=5)


def test_slow_model_is_given_up(model, slowly):
    model.expect_request("/v1/chat/completions").respond_with_handler(slowly)

    with pytest.raises(UnknownOutcome, match="did not answer within"):
        ask.chat(HELLO, timeout=0.2)
