"""The JSON Schema of the language: valid itself, and of one mind with the checks."""

import json

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator

from omni.yaml import profile
from registry.expressions import names
from registry.expressions.functions import FUNCTIONS
from registry.language import document, grammar, schema
from registry.versions.seed import PLAYBOOKS
from tests.registry.example_library import ACTIONS, EVERYTHING, EXAMPLES, LIBRARY, workflow


@pytest.fixture(scope="module")
def built() -> dict:
    return schema.build(ACTIONS, host=settings.OMNI_PUBLIC_URL)


@pytest.fixture(scope="module")
def validator(built) -> Draft202012Validator:
    return Draft202012Validator(built)


def messages(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.json_path for error in validator.iter_errors(profile.load(text).data)]


def test_the_schema_is_valid_and_names_its_dialect_and_address(built):
    Draft202012Validator.check_schema(built)

    assert built["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert built["$id"] == f"{settings.OMNI_PUBLIC_URL}/api/v1/workflows/schema/"
    assert json.loads(json.dumps(built)) == built


@pytest.mark.parametrize("text", [EVERYTHING, *EXAMPLES.values()])
def test_right_documents_pass(validator, text):
    assert messages(validator, text) == []


@pytest.mark.parametrize(("right", "wrong", "place"), [
    ("omni: 1", "omni: 2", "$.omni"),
    ("id: tried", "id: Not A Slug", "$.id"),
    ("id: tried", "id: tried\npriorty: 5", "$"),
    ("id: tried", "id: tried\ntimeout: 5", "$.timeout"),
    ("message.text", "message.txt", "$.trigger[0]"),
    ("{event: message.text}", "{schedule: {cron: 0 9 * * 1, catch_up: some}}", "$.trigger[0]"),
    ("{event: message.text}", "{manual: false}", "$.trigger[0]"),
    ("id: tried", "id: tried\ninputs: {a: {type: txt}}", "$.inputs.a.type"),
    ("id: tried", "id: tried\nconcurrency: {limit: 0}", "$.concurrency.limit"),
    ("  - {stop: done}", "  - {stop: dome}", "$.steps[0].stop"),
    ("  - {stop: done}", "  - {stop: done, wait: 1s}", "$.steps[0]"),
    ("  - {stop: done}", "  - {uses: no.such, with: {}}", "$.steps[0].uses"),
    ("  - {stop: done}", "  - {uses: route.reply}", "$.steps[0]"),
    ("  - {stop: done}", "  - {uses: route.reply, with: {}}", "$.steps[0].with"),
    ("  - {stop: done}", "  - {uses: route.reply, with: {text: a, txt: b}}", "$.steps[0].with"),
    ("  - {stop: done}", "  - {uses: route.reply, with: {text: 5}}", "$.steps[0].with.text"),
    ("  - {stop: done}", "  - {for_each: {do: []}}", "$.steps[0].for_each"),
])
def test_wrong_documents_fail_in_the_schema_and_in_the_checks(validator, right, wrong, place):
    text = workflow("  - {stop: done}").replace(right, wrong)

    assert place in messages(validator, text)
    assert any(problem.severity == "error"
               for problem in document.problems(text, library=LIBRARY))


@pytest.mark.parametrize("step", [
    "{uses: route.reply, with: {text: a, quote: '${{ event.from_me }}'}}",
    "{uses: route.webhook@1, with: {url: u, tags: '${{ inputs.tags }}', retries: 2}}",
])
def test_any_parameter_may_be_an_expression(validator, step):
    assert messages(validator, workflow(f"  - {step}")) == []


def test_every_action_has_its_own_parameters(built):
    assert built["$defs"]["params:route.reply"]["required"] == ["text"]
    assert built["$defs"]["params:route.reply"]["description"] == "Made for a test."
    assert {name.removeprefix("params:") for name in built["$defs"]
            if name.startswith("params:")} == set(ACTIONS)


def test_every_key_of_the_grammar_is_in_the_schema(built):
    assert set(built["properties"]) == set(grammar.WORKFLOW)
    assert set(built["$defs"]["step"]["properties"]) == {*grammar.STEP, *grammar.BODY_KEYS}


def test_what_editors_complete_comes_from_the_tables():
    vocabulary = schema.vocabulary()

    assert set(vocabulary["names"]) == set(names.ROOTS)
    assert vocabulary["names"]["event"]["fields"]["media"]["fields"]["kind"]["kind"] == "text"
    assert set(vocabulary["functions"]) == set(FUNCTIONS)
    assert "message.text" in vocabulary["kinds"]


def test_the_actions_on_disk_give_a_valid_schema():
    Draft202012Validator.check_schema(schema.build())


@pytest.mark.parametrize("path", sorted(PLAYBOOKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_playbooks_pass_with_the_actions_on_disk(path):
    assert messages(Draft202012Validator(schema.build()), path.read_text()) == []


def _places(part, path=""):
    """Every property of the schema with what it says."""
    if isinstance(part, dict):
        for name, prop in part.get("properties", {}).items():
            if isinstance(prop, dict) and "if" not in part:
                yield f"{path}/{name}", prop
        for name, inner in part.items():
            if name not in ("if", "then", "anyOf"):
                yield from _places(inner, f"{path}/{name}")
    elif isinstance(part, list):
        for number, inner in enumerate(part):
            yield from _places(inner, f"{path}/{number}")


def test_every_key_of_the_language_is_described(built):
    of_language = {**built, "$defs": {name: part for name, part in built["$defs"].items()
                                      if not name.startswith("params:")}}
    silent = [place for place, prop in _places(of_language) if not prop.get("description")]

    assert silent == []
    assert [name for name, part in of_language["$defs"].items() if "description" not in part] == []


def test_defaults_are_told_where_the_code_has_them(built):
    defaults = {name: {key: prop["default"] for key, prop in built["$defs"][name][
        "properties"].items() if "default" in prop} for name in ("schedule", "debounce", "retry")}

    assert defaults == {"schedule": {"timezone": "UTC", "catch_up": "last"},
                        "debounce": {"collect": 20},
                        "retry": {"backoff": "exponential", "jitter": True}}
    assert built["properties"]["priority"]["default"] == 500
    assert built["$defs"]["params:route.reply"]["properties"]["quote"]["default"] is False


def test_editors_offer_actions_kinds_and_providers(built):
    step = built["$defs"]["step"]["properties"]
    [by_event, *_] = built["$defs"]["trigger"]["oneOf"]

    assert step["uses"]["anyOf"][0]["enum"] == sorted(ACTIONS)
    assert len(step["uses"]["anyOf"][0]["enumDescriptions"]) == len(ACTIONS)
    assert "message.text" in built["$defs"]["kind"]["anyOf"][0]["enum"]
    assert "webhook" in by_event["properties"]["provider"]["anyOf"][0]["enum"]
