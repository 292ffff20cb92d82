"""The OpenAPI document: valid, without a warning, and complete."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command


@pytest.fixture(scope="module")
def document():
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


@pytest.fixture(scope="module")
def operations(document):
    return {(path, method): operation for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in ("get", "post", "put", "patch", "delete")}


def test_every_operation_has_a_name_of_its_own(operations):
    names = [operation["operationId"] for operation in operations.values()]

    assert len(names) == len(set(names)) > 50


def test_every_operation_declares_the_problem_answer(operations, document):
    for operation in operations.values():
        assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}
    assert "code" in document["components"]["schemas"]["Problem"]["required"]


def test_problem_of_a_document_is_declared_apart_from_the_problem_answer(document):
    schemas = document["components"]["schemas"]

    assert "column" in schemas["DocumentProblem"]["properties"]
    assert "column" not in schemas["Problem"]["properties"]


def test_every_operation_of_the_api_names_how_a_caller_proves_itself(operations):
    for (path, _), operation in operations.items():
        if path.startswith("/api/v1/"):
            assert {"apiKey": []} in operation["security"], path


@pytest.mark.parametrize("name", ["Instance", "PatchedInstance", "Agent", "PatchedAgent"])
def test_credentials_are_declared_as_written_only(document, name):
    assert document["components"]["schemas"][name]["properties"]["credentials"]["writeOnly"]


def test_ids_are_declared_as_whole_numbers(operations):
    declared = {item["name"]: item["schema"]
                for item in operations["/api/v1/events/", "get"]["parameters"]}

    assert declared["conversation"]["type"] == declared["contact"]["type"] == "integer"


@pytest.mark.parametrize("name", ["instance", "provider", "event_type", "conversation", "contact",
                                  "actor", "direction", "since", "until", "q", "action_outcome",
                                  "limit", "before", "after"])
def test_filter_of_events_is_declared(operations, name):
    declared = operations["/api/v1/events/", "get"]["parameters"]

    assert name in {parameter["name"] for parameter in declared}
