import json

import pytest

from actions import library
from actions.base import Params

FOLDERS = {"guards": "guard", "transforms": "transform", "routes": "route",
           "validators": "validate", "persist": "persist", "meta": "meta"}
ACTIONS = [action for action in library.actions().values()
           if action.function.__module__.split(".")[1] in FOLDERS]
WANTED = [
    "guard.allowlist", "guard.blocklist", "guard.contact_override", "guard.debounce",
    "guard.denylist", "guard.mention_gate", "guard.self_route", "meta.analytics.log",
    "meta.notify.slack", "meta.notify.webhook", "persist.derive", "persist.memory.update",
    "persist.tagging", "route.agent.default", "route.agent.personal", "route.escalate.human",
    "route.ignore", "route.reply", "route.send", "transform.audience.members",
    "transform.describe.image", "transform.regex", "transform.stt.direct",
    "transform.stt.forwarded", "transform.summarize.poll", "validate.safety"]


def each(actions):
    return pytest.mark.parametrize("action", actions, ids=[action.id for action in actions])


@pytest.mark.parametrize("id", WANTED)
def test_action_of_the_playbooks_and_examples_is_found(id):
    assert library.get(id).id == id


@each(ACTIONS)
def test_id_begins_with_the_kind_of_its_folder(action):
    folder = action.function.__module__.split(".")[1]

    assert action.kind == FOLDERS[folder]


@each(ACTIONS)
def test_marketplace_text_is_a_sentence(action):
    assert action.summary.endswith(".") and len(action.summary) >= 20


def undescribed(schema, path="params"):
    """Paths of properties without a description, also inside referenced models."""
    found = []
    for name, field in schema.get("properties", {}).items():
        if not field.get("description"):
            found.append(f"{path}.{name}")
    for name, model in schema.get("$defs", {}).items():
        found += undescribed(model, name)
    return found


@each(ACTIONS)
def test_every_parameter_and_output_is_described(action):
    missing = [*undescribed(action.params.model_json_schema()),
               *undescribed(action.output.model_json_schema(), "output")]

    assert missing == []


@each(ACTIONS)
def test_schemas_can_be_written_as_json(action):
    schemas = [action.params.model_json_schema(), action.output.model_json_schema()]

    assert all(json.loads(json.dumps(schema)) for schema in schemas)


@each(ACTIONS)
def test_unknown_parameter_is_refused(action):
    assert issubclass(action.params, Params)
    assert action.params.model_config["extra"] == "forbid"


@each(ACTIONS)
def test_secret_parameters_exist(action):
    assert action.secret <= set(action.params.model_fields)


@each([action for action in ACTIONS if action.kind == "guard"])
def test_guard_changes_nothing(action):
    assert action.effects in ("none", "read")
