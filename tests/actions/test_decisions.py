"""A choice between listed options, and nothing else."""

import json
import time

import pytest

from actions import decisions
from actions.base import Context
from actions.models import Agent
from omni.errors import NotConfigured, Unavailable
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db
OPTIONS = {"urgent": "somebody is in trouble", "normal": ""}


@pytest.fixture
def model(httpserver, settings):
    """Says what the model answers."""
    settings.OMNI_LLM_BASE_URL = httpserver.url_for("/v1")
    settings.OMNI_LLM_MODEL = "small"

    def says(text, **usage):
        httpserver.expect_request("/v1/chat/completions").respond_with_json({
            "choices": [{"message": {"content": text}}],
            "usage": {"prompt_tokens": usage.get("asked", 100),
                      "completion_tokens": usage.get("answered", 10)}})
        return httpserver

    return says


def decide(**given):
    event = make_event(make_instance())
    return decisions.decide(**{
        "question": "How urgent is this?", "options": OPTIONS, "using": "agent.wish",
        "event": event, "context": Context(instance=event.instance, effect_key="omni:1:steps[0]",
                                           deadline=time.monotonic() + 5), **given})


def test_listed_option_is_chosen_with_its_confidence(model):
    server = model('Sure: {"choice": "Urgent", "confidence": 0.9, "reason": "fire"}')

    choice = decide(default="normal", min_confidence=0.8)

    assert (choice.choice, choice.confidence, choice.reason) == ("urgent", 0.9, "fire")
    assert not choice.defaulted and len(choice.prompt_hash) == 64
    asked = json.loads(server.log[0][0].get_data())["messages"]
    assert "- urgent: somebody is in trouble" in asked[1]["content"]


def test_bare_name_of_an_option_counts(model):
    model(" normal. ")

    assert decide().choice == "normal"


@pytest.mark.parametrize(("answer", "why"), [
    ('{"choice": "urgent", "confidence": 0.5}', "confidence is 0.5, 0.8 is needed"),
    ('{"choice": "urgent"}', "confidence is unknown, 0.8 is needed"),
    ('{"choice": "run away", "confidence": 1}', "'run away', which is not one of urgent, normal"),
    ("I would rather not", "no JSON with a choice"), ("{" * 50_000, "no JSON"), ("", "no JSON")])
def test_unsure_or_unreadable_answer_takes_the_default(model, answer, why):
    model(answer)

    choice = decide(default="normal", min_confidence=0.8)

    assert (choice.choice, choice.defaulted) == ("normal", True) and why in choice.why


def test_dear_answer_takes_the_default(model, settings):
    settings.OMNI_LLM_PRICE_REQUEST, settings.OMNI_LLM_PRICE_RESPONSE = 10_000, 0
    model('{"choice": "urgent", "confidence": 1}')

    choice = decide(default="normal", max_cost=0.5)

    assert (choice.choice, choice.cost) == ("normal", 1.0)
    assert "it cost 1, 0.5 is most" in choice.why


def test_model_that_is_not_set_up_takes_the_default():
    choice = decide(default="normal")

    assert choice.choice == "normal" and "OMNI_LLM_BASE_URL" in choice.why


def test_without_a_default_an_unknown_agent_is_told():
    with pytest.raises(NotConfigured, match="there is no agent 'nobody'"):
        decide(using="nobody")


def test_without_a_default_an_unsure_answer_is_told(model):
    model('{"choice": "urgent", "confidence": 0.1}')
    with pytest.raises(Unavailable, match=r"confidence is 0.1.*give decide.default"):
        decide(min_confidence=0.8)


def test_agent_may_decide(httpserver):
    Agent.objects.create(slug="desk", name="Desk", kind="http", base_url=httpserver.url_for("/a"))
    httpserver.expect_request("/a").respond_with_json({"text": "urgent"})

    assert decide(using="desk").choice == "urgent"
