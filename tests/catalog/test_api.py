"""What this installation can do, over REST."""

import pytest
from jsonschema import Draft202012Validator

from actions import library as actions
from connections import library as providers
from tests.api_client import client_of

pytestmark = pytest.mark.django_db


def test_every_action_is_listed_with_a_schema_of_its_parameters():
    rows = client_of("read").get("/api/v1/catalog/actions/").data["results"]

    assert [row["id"] for row in rows] == list(actions.actions())
    for row in rows:
        assert row["summary"] and row["effects"] in ("none", "read", "write", "send")
        Draft202012Validator.check_schema(row["params"])


def test_every_provider_is_listed_with_a_schema_of_its_settings():
    rows = client_of("read").get("/api/v1/catalog/providers/").data["results"]

    assert [row["name"] for row in rows] == list(providers.adapters())
    for row in rows:
        Draft202012Validator.check_schema(row["settings"])
        Draft202012Validator.check_schema(row["credentials"])


@pytest.mark.parametrize("address", ["actions/{action}/", "providers/webhook/"])
def test_one_entry_is_what_its_list_says(address):
    client = client_of("read")
    address = address.format(action=next(iter(actions.actions()), ""))
    kind = address.split("/")[0]

    one = client.get(f"/api/v1/catalog/{address}").data

    assert one in client.get(f"/api/v1/catalog/{kind}/").data["results"]


def test_actions_of_one_kind_can_be_asked_for():
    rows = client_of("read").get("/api/v1/catalog/actions/?kind=guard").data["results"]

    assert rows == [] or {row["kind"] for row in rows} == {"guard"}


@pytest.mark.parametrize(("address", "status"), [
    ("actions/guard.nothing_of_the_kind/", 404),
    ("providers/nothing_of_the_kind/", 404),
    ("actions/?kind=nothing", 400),
    ("actions/?nothing=1", 400),
    ("providers/?kind=guard", 400),
])
def test_what_is_not_there_is_a_problem(address, status):
    answer = client_of("read").get(f"/api/v1/catalog/{address}")

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
