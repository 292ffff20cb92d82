import pytest
from pydantic import ValidationError

from actions.transforms.stt import SttParams, direct, forwarded
from tests.factories import make_conversation, make_event, make_instance

SOUND = b"OggS invented sound"
ADDRESS = "/v1/audio/transcriptions"


@pytest.fixture
def speech(settings, httpserver):
    settings.OMNI_STT_BASE_URL = httpserver.url_for("/v1")
    return httpserver


def hear(action, media, context, **params):
    return action(None, SttParams(media=media, **params), context)


@pytest.mark.parametrize(("action", "is_forwarded"), [(forwarded, True), (direct, False)])
def test_words_of_a_recording_are_written_down(say, attach, context, speech, action, is_forwarded):
    speech.expect_request(ADDRESS).respond_with_json(
        {"text": "call me", "language": "english", "duration": 3.2})
    media = attach(SOUND, event=say(None, is_forwarded=is_forwarded))

    outcome = hear(action, media, context)

    assert outcome.status == "done"
    assert outcome.output == {"text": "call me", "language": "english", "duration_s": 3.2}
    assert speech.log[0][0].files["file"].stream.read() == SOUND


def test_length_of_the_message_stands_in_for_what_the_model_does_not_tell(attach, context, speech):
    speech.expect_request(ADDRESS).respond_with_json({"text": "hi"})

    outcome = hear(direct, attach(SOUND, duration_ms=4500), context, language="pt")

    assert outcome.output == {"text": "hi", "language": "pt", "duration_s": 4.5}


@pytest.mark.parametrize(("action", "is_forwarded", "code"), [
    (forwarded, False, "not_forwarded"), (direct, True, "forwarded")])
def test_recording_for_the_other_action_is_skipped(say, attach, context, speech, action,
                                                   is_forwarded, code):
    media = attach(SOUND, event=say(None, is_forwarded=is_forwarded))

    outcome = hear(action, media, context)

    assert (outcome.status, outcome.code, speech.log) == ("skipped", code, [])


def test_recording_forwarded_to_the_own_chat_counts_as_direct(say, attach, context, speech,
                                                              instance):
    speech.expect_request(ADDRESS).respond_with_json({"text": "hi"})
    own = make_conversation(instance, "me", kind="self")

    media = attach(SOUND, event=say(None, conversation=own, is_forwarded=True))

    assert hear(direct, media, context).output["text"] == "hi"


def test_picture_is_not_listened_to(attach, context, speech):
    outcome = hear(direct, attach(SOUND, kind="image", mime="image/png"), context)

    assert (outcome.status, outcome.code) == ("skipped", "not_audio")


def test_without_a_speech_model_it_is_unavailable(attach, context, settings):
    settings.OMNI_STT_BASE_URL = settings.OMNI_LLM_BASE_URL = ""

    outcome = hear(direct, attach(SOUND), context)

    assert outcome.status == "unavailable" and "OMNI_STT_BASE_URL" in outcome.reason


def test_file_of_another_instance_does_not_exist(attach, context, speech):
    foreign = attach(SOUND, event=make_event(make_instance("desk")))

    outcome = hear(direct, foreign, context)

    assert (outcome.status, speech.log) == ("failed", [])
    assert "'shop' has no file" in outcome.reason


def test_name_the_sender_gave_the_file_is_not_passed_on(attach, context, speech):
    speech.expect_request(ADDRESS).respond_with_json({"text": "hi"})

    hear(direct, attach(SOUND, filename='x"\r\nevil: 1/../../etc.exe'), context)

    assert speech.log[0][0].files["file"].filename == "audio.ogg"


@pytest.mark.parametrize(("status", "code"), [(500, "provider_5xx"), (401, "denied")])
def test_failure_has_the_code_retries_go_by(attach, context, speech, status, code):
    speech.expect_request(ADDRESS).respond_with_data("no", status=status)

    assert hear(direct, attach(SOUND), context).code == code


def test_busy_model_says_when_to_come_back(attach, context, speech):
    speech.expect_request(ADDRESS).respond_with_data("", status=429, headers={"Retry-After": "9"})

    outcome = hear(direct, attach(SOUND), context)

    assert (outcome.code, outcome.output["retry_after"]) == ("rate_limited", 9.0)


def test_file_the_provider_no_longer_has_is_final(attach, context, speech):
    outcome = hear(direct, attach(None, state="expired", error="gone"), context)

    assert (outcome.status, outcome.code) == ("failed", "rejected")


@pytest.mark.parametrize("media", [None, {}, {"id": 0}, {"id": 2 ** 63}, {"id": "x"}])
def test_media_without_a_number_is_refused(media):
    with pytest.raises(ValidationError):
        SttParams(media=media)
