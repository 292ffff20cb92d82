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


@pytest.fixture
def speech(settings, httpserver):
    settings.OMNI_STT_BASE_URL = httpserver.url_for("/speech/v1")
    settings.OMNI_STT_API_KEY = "sk-canary-speech"
    return httpserver


def hear(**options):
    return ask.transcribe(b"OggS sound", filename="audio.ogg", mime="audio/ogg",
                          **{"timeout": 5, **options})


def test_recording_goes_to_the_speech_model_with_its_key(speech):
    speech.expect_oneshot_request(
        "/speech/v1/audio/transcriptions", method="POST",
        headers={"Authorization": "Bearer sk-canary-speech"},
    ).respond_with_json({"text": " hi there ", "language": "en", "duration": 2.5})

    heard = hear(language="en")

    request = speech.log[-1][0]
    assert heard == ask.Transcript("hi there", "en", 2.5)
    assert request.form.to_dict() == {"model": "whisper-1", "language": "en",
                                      "response_format": "verbose_json"}
    assert request.files["file"].filename == "audio.ogg"
    assert request.files["file"].stream.read() == b"OggS sound"


def test_model_that_refuses_the_long_answer_is_asked_for_the_short_one(speech):
    address = "/speech/v1/audio/transcriptions"
    speech.expect_ordered_request(address).respond_with_data("unsupported", status=400)
    speech.expect_ordered_request(address).respond_with_json({"text": "hi"})

    assert hear() == ask.Transcript("hi")
    assert speech.log[-1][0].form["response_format"] == "json"


def test_speech_falls_back_to_the_endpoint_of_the_language_model(model):
    model.expect_request("/v1/audio/transcriptions", headers={
        "Authorization": "Bearer sk-canary"}).respond_with_json({"text": "hi"})

    assert hear().text == "hi"


def test_key_of_the_language_model_is_not_sent_to_the_speech_model(model, settings):
    settings.OMNI_STT_BASE_URL = model.url_for("/other")
    model.expect_request("/other/audio/transcriptions").respond_with_json({"text": "hi"})

    hear()

    assert "Authorization" not in model.log[-1][0].headers


@pytest.mark.parametrize(("changed", "named"), [
    ({}, "OMNI_STT_BASE_URL"),
    ({"OMNI_STT_BASE_URL": "http://127.0.0.1:9", "OMNI_STT_MODEL": ""}, "OMNI_STT_MODEL")])
def test_missing_speech_setting_is_named(settings, changed, named):
    settings.OMNI_LLM_BASE_URL = ""
    for name, value in changed.items():
        setattr(settings, name, value)

    with pytest.raises(NotConfigured, match=named) as caught:
        hear()

    assert caught.value.setting == named


def test_language_model_without_speech_is_one_that_is_not_set_up_for_it(model):
    model.expect_request("/v1/audio/transcriptions").respond_with_data("", status=404)

    with pytest.raises(NotConfigured, match="OMNI_STT_BASE_URL"):
        hear()


def test_speech_model_that_is_not_there_is_rejected(speech):
    speech.expect_request("/speech/v1/audio/transcriptions").respond_with_data(
        "sk-canary-speech", status=404)

    with pytest.raises(Rejected) as caught:
        hear()

    assert "canary" not in caught.value.message


@pytest.mark.parametrize("answer", [
    {}, {"text": None}, {"text": ["hi"]}, [{"text": "hi"}]])
def test_speech_without_a_text_is_an_error(speech, answer):
    speech.expect_request("/speech/v1/audio/transcriptions").respond_with_json(answer)

    with pytest.raises(Unavailable) as caught:
        hear()

    assert caught.value.code == "bad_answer"


@pytest.mark.parametrize("duration", ["NaN", "-1", 1e300, "soon", [2], None, {}])
def test_duration_no_recording_has_is_left_out(speech, duration):
    speech.expect_request("/speech/v1/audio/transcriptions").respond_with_json(
        {"text": "hi", "duration": duration, "language": {"is": "odd"}})

    assert hear() == ask.Transcript("hi", "", None)
