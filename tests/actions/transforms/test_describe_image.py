import base64
import json

import pytest

from actions.transforms import describe_image
from actions.transforms.describe_image import DescribeImageParams, describe
from tests.factories import make_event, make_instance

PNG = b"\x89PNG\r\n\x1a\n invented"
ADDRESS = "/v1/chat/completions"


@pytest.fixture
def model(settings, httpserver):
    settings.OMNI_LLM_BASE_URL = httpserver.url_for("/v1")
    settings.OMNI_LLM_MODEL = "seer"
    return httpserver


@pytest.fixture
def look(attach, context):
    def run(data=PNG, prompt="What is it?", **fields):
        media = attach(data, **{"kind": "image", "mime": "image/png", **fields})
        return describe(None, DescribeImageParams(media=media, prompt=prompt), context)

    return run


def says(text):
    return {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 9}}


@pytest.mark.parametrize(("data", "kind"), [
    (PNG, "image/png"), (b"\xff\xd8\xff\xe0 invented", "image/jpeg"),
    (b"GIF89a invented", "image/gif"), (b"RIFF0000WEBP invented", "image/webp")])
def test_model_sees_the_picture_and_the_prompt(model, look, data, kind):
    model.expect_request(ADDRESS).respond_with_json(says(" A cat. "))

    outcome = look(data, mime="image/svg+xml")

    rules, asked = json.loads(model.log[0][0].data)["messages"]
    assert outcome.output == {"text": "A cat.", "usage": {"request_tokens": 9}}
    assert rules["role"] == "system"
    assert asked["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {
            "url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}}]


def test_without_a_model_it_is_unavailable(look, settings):
    settings.OMNI_LLM_BASE_URL = ""

    outcome = look()

    assert outcome.status == "unavailable" and "OMNI_LLM_BASE_URL" in outcome.reason


@pytest.mark.parametrize("data", [b"<svg onload='x'/>", b"MZ program", b"%PDF-1.7"])
def test_what_only_poses_as_a_picture_is_not_passed_on(model, look, data):
    outcome = look(data)

    assert (outcome.code, model.log) == ("invalid", [])


def test_other_file_is_skipped(model, look):
    outcome = look(kind="video")

    assert (outcome.status, outcome.code, model.log) == ("skipped", "not_image", [])


def test_picture_beyond_the_limit_is_not_passed_on(model, look, monkeypatch):
    monkeypatch.setattr(describe_image, "MAX_BYTES", len(PNG) - 1)

    outcome = look()

    assert (outcome.code, model.log) == ("invalid", [])


def test_file_of_another_instance_does_not_exist(model, look):
    outcome = look(event=make_event(make_instance("desk")))

    assert (outcome.status, model.log) == ("failed", [])


def test_empty_answer_is_no_description(model, look):
    model.expect_request(ADDRESS).respond_with_json(says("  "))

    assert look().code == "bad_answer"


def test_model_that_fails_can_be_asked_again(model, look):
    model.expect_request(ADDRESS).respond_with_data("", status=503)

    assert look().code == "provider_5xx"
