"""`workflow.smart_decision`: a choice by a model, or the default."""

import json

import pytest

from tests.registry.runs import advance, output_of

pytestmark = pytest.mark.django_db


def test_model_picks_one_of_the_options(start, settings, httpserver):
    settings.OMNI_LLM_BASE_URL, settings.OMNI_LLM_MODEL = httpserver.url_for("/v1"), "small"
    said = json.dumps({"choice": "yes", "confidence": 0.9, "reason": "it burns"})
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        {"choices": [{"message": {"content": said}}]})

    run = advance(start("""
- uses: workflow.smart_decision
  with: {question: urgent, options: {yes: "", no: ""}, default: no, min_confidence: 0.8}
"""))

    output = output_of(run, "steps[0]")
    assert (output["choice"], output["reason"], output["defaulted"]) == ("yes", "it burns", False)


def test_without_a_model_the_default_is_taken_and_says_why(start):
    run = advance(start("""
- uses: workflow.smart_decision
  with: {question: urgent, options: {yes: "", no: ""}, default: no}
"""))

    output = output_of(run, "steps[0]")
    assert (output["choice"], output["defaulted"]) == ("no", True)
    assert "OMNI_LLM_BASE_URL" in output["why"]
