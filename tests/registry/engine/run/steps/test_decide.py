"""`decide`: the choice is recorded before its steps run."""

import pytest

from tests.registry.runs import Crash, advance, crash, output_of

pytestmark = pytest.mark.django_db
STEPS = """
- id: how
  decide:
    using: agent.wish
    question: Is ${{ event.text }} urgent?
    options:
      urgent: [{uses: custom.send, with: {say: urgent}}]
      normal: [{uses: custom.send, with: {say: normal}}]
    default: normal
"""


@pytest.fixture
def model(httpserver, settings):
    settings.OMNI_LLM_BASE_URL = httpserver.url_for("/v1")
    settings.OMNI_LLM_MODEL = "small"
    httpserver.expect_request("/v1/chat/completions").respond_with_json({
        "choices": [{"message": {"content": '{"choice": "urgent", "confidence": 1}'}}]})
    return httpserver


def test_chosen_options_steps_run(start, probe, model):
    run = advance(start(STEPS))

    assert (run.state, probe.calls) == ("done", ["urgent"])
    assert output_of(run, "steps[0]")["choice"] == "urgent"


def test_crash_does_not_decide_again(start, probe, model):
    probe.answers = [Crash()]
    run = start(STEPS)
    crash(run)

    advance(run)

    assert probe.calls == ["urgent", "urgent"] and len(model.log) == 1


def test_default_is_taken_when_no_model_is_set_up(start, probe):
    run = advance(start(STEPS))

    assert (run.state, probe.calls) == ("done", ["normal"])
    assert "OMNI_LLM_BASE_URL" in output_of(run, "steps[0]")["why"]
