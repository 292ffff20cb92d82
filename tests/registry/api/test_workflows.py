"""Workflows over REST: drafts, versions, files and the place of every problem."""

import pytest
from rest_framework.test import APIClient

from registry.models import Workflow
from tests.api_client import client_of, post_json, put_json
from tests.factories import make_instance, make_workflow

pytestmark = pytest.mark.django_db
WORKFLOWS = "/api/v1/workflows/"
TEXT = """\
omni: 1
id: greet
name: Greet
trigger:
  - event: message.text
steps:
  - stop: done
"""
BROKEN = TEXT.replace("trigger:", "triger:")


def test_stored_draft_has_a_revision_and_no_version():
    answer = post_json(client_of("workflows"), WORKFLOWS, {"text": TEXT})

    assert answer.status_code == 201, answer.data
    assert (answer.data["slug"], answer.data["draft"]) == ("greet", TEXT)
    assert answer.data["latest_version"] is None
    assert answer.headers["ETag"] == f'"{answer.data["revision"]}"'


def test_known_id_is_a_conflict_at_creation():
    make_workflow(TEXT)

    answer = post_json(client_of("workflows"), WORKFLOWS, {"text": TEXT.replace("Greet", "X")})

    assert (answer.status_code, answer.data["code"]) == (409, "exists")
    assert Workflow.objects.get().draft == TEXT


def _change(text="Greet all"):
    return {"text": TEXT.replace("Greet", text)}


@pytest.mark.parametrize("header", ["{}", '"{}"', 'W/"{}"'])
def test_text_made_from_the_stored_revision_is_taken(header):
    revision = make_workflow(TEXT).revision

    answer = put_json(client_of("workflows"), f"{WORKFLOWS}greet/", _change(),
                      **{"if-match": header.format(revision)})

    assert answer.status_code == 200, answer.data
    assert answer.data["name"] == "Greet all" and answer.data["revision"] > revision


@pytest.mark.parametrize("how", ["header", "body", "junk"])
def test_text_made_from_an_old_revision_is_stale(how):
    old = make_workflow(TEXT).revision
    client = client_of("workflows")
    put_json(client, f"{WORKFLOWS}greet/", _change("First"))

    body = _change("Second") | ({"base_revision": old} if how == "body" else {})
    headers = {"header": {"if-match": f'"{old}"'}, "junk": {"if-match": '"abc"'}}.get(how, {})
    answer = put_json(client, f"{WORKFLOWS}greet/", body, **headers)

    assert (answer.status_code, answer.data["code"]) == (409, "stale")
    assert Workflow.objects.get().name == "First"


def test_document_of_another_id_is_refused():
    make_workflow(TEXT)

    answer = put_json(client_of("workflows"), f"{WORKFLOWS}greet/",
                      {"text": TEXT.replace("id: greet", "id: other")})

    assert answer.status_code == 400 and answer.data["errors"][0]["pointer"] == "/text"


@pytest.mark.parametrize("as_yaml", [True, False])
def test_validation_names_the_place_of_every_problem_and_stores_nothing(as_yaml):
    client, url = client_of("workflows"), f"{WORKFLOWS}validate/"

    answer = (client.post(url, BROKEN, content_type="text/yaml") if as_yaml
              else post_json(client, url, {"text": BROKEN}))

    assert answer.status_code == 200 and answer.data["valid"] is False
    found = [item for item in answer.data["problems"] if item["suggestion"] == "trigger"]
    assert (found[0]["line"], found[0]["column"], found[0]["severity"]) == (4, 1, "error")
    assert not Workflow.objects.exists()


def test_right_document_is_valid():
    answer = post_json(client_of("workflows"), f"{WORKFLOWS}validate/", {"text": TEXT})

    assert answer.data["valid"] is True


@pytest.mark.parametrize("text", [
    "a: &x 1\nb: *x\n", "!!python/object/apply:os.system [ls]\n", "a: 1\na: 2\n", "\t- x\n",
    "id: [", "- " * 60 + "x", "", "x" * 262_144,
])
def test_hostile_document_is_an_answer_with_problems(text):
    client = client_of("workflows")

    checked = client.post(f"{WORKFLOWS}validate/", text, content_type="text/yaml")
    stored = client.post(f"{WORKFLOWS}import/", text, content_type="text/yaml")

    assert checked.status_code in (200, 400)
    assert checked.status_code == 400 or checked.data["valid"] is False
    assert stored.status_code == 400 and not Workflow.objects.exists()


def test_document_over_the_limit_is_refused():
    answer = client_of("workflows").post(f"{WORKFLOWS}import/", "#" * 2_000_000,
                                         content_type="text/yaml")

    assert answer.status_code == 400


@pytest.mark.parametrize("content_type", ["text/yaml", "application/yaml", "application/json"])
def test_import_stores_and_publishes(content_type):
    client, url = client_of("workflows"), f"{WORKFLOWS}import/"

    answer = (post_json(client, url, {"text": TEXT}) if content_type == "application/json"
              else client.post(url, TEXT, content_type=content_type))

    assert answer.status_code == 200, answer.data
    assert [(row["slug"], row["latest_version"]) for row in answer.data["results"]] == [
        ("greet", 1)]


def test_import_without_publishing_stores_a_draft():
    answer = client_of("workflows").post(f"{WORKFLOWS}import/?publish=false", TEXT,
                                         content_type="text/yaml")

    assert answer.data["results"][0]["latest_version"] is None


def test_export_gives_back_what_was_imported():
    make_workflow(TEXT)
    client = client_of("read")

    file = client.get(f"{WORKFLOWS}greet/export/", headers={"accept": "text/yaml"})
    data = client.get(f"{WORKFLOWS}greet/export/?version=1",
                      headers={"accept": "application/json"})

    assert file.content.decode() == TEXT and file.headers["Content-Type"].startswith("text/yaml")
    assert "greet.yaml" in file.headers["Content-Disposition"]
    assert data.json() == {"text": TEXT}


@pytest.mark.parametrize(("query", "status"), [
    ("?version=7", 404), ("?version=1" + "0" * 23, 404), ("?version=abc", 400)])
def test_export_of_a_version_that_is_not_there(query, status):
    make_workflow(TEXT)

    answer = client_of("read").get(f"{WORKFLOWS}greet/export/{query}")

    assert answer.status_code == status


def test_published_versions_are_listed_newest_first_with_their_texts():
    make_workflow(TEXT)
    client = client_of("read", "workflows")
    put_json(client, f"{WORKFLOWS}greet/", _change())

    published = post_json(client, f"{WORKFLOWS}greet/publish/", {"note": "kinder"})

    assert published.status_code == 201 and published.data["number"] == 2
    rows = client.get(f"{WORKFLOWS}greet/versions/").data["results"]
    assert [(row["number"], row["note"]) for row in rows] == [(2, "kinder"), (1, "imported")]
    assert client.get(f"{WORKFLOWS}greet/versions/1/").data["text"] == TEXT
    assert client.get(f"{WORKFLOWS}greet/versions/{10 ** 23}/").status_code == 404


def test_publishing_with_errors_says_every_place():
    client = client_of("workflows")
    post_json(client, WORKFLOWS, {"text": BROKEN})

    answer = post_json(client, f"{WORKFLOWS}greet/publish/")

    assert (answer.status_code, answer.data["code"]) == (400, "invalid_workflow")
    assert all(error["line"] for error in answer.data["errors"])


def test_publishing_an_old_revision_is_stale():
    make_workflow(TEXT)

    answer = post_json(client_of("workflows"), f"{WORKFLOWS}greet/publish/",
                       {"base_revision": 0})

    assert (answer.status_code, answer.data["code"]) == (409, "stale")


def test_schema_is_at_its_address_for_editors_without_a_key(settings):
    settings.OMNI_PUBLIC_URL = "https://omni.example"
    answer = APIClient().get(f"{WORKFLOWS}schema/")

    assert answer.status_code == 200 and "steps" in answer.json()["properties"]
    assert answer.json()["$id"] == "https://omni.example/api/v1/workflows/schema/"
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("accept", ["application/json", "application/schema+json", "*/*"])
def test_schema_that_was_fetched_is_not_sent_again(accept):
    client = APIClient(headers={"accept": accept})
    first = client.get(f"{WORKFLOWS}schema/")

    again = client.get(f"{WORKFLOWS}schema/", headers={"if-none-match": first.headers["ETag"]})
    other = client.get(f"{WORKFLOWS}schema/", headers={"if-none-match": '"x"'})

    assert "max-age=300" in first.headers["Cache-Control"]
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)
    assert again.headers["ETag"] == first.headers["ETag"]


def test_schema_changes_its_tag_with_the_actions(request):
    before = APIClient().get(f"{WORKFLOWS}schema/").headers["ETag"]
    request.getfixturevalue("probe")

    assert APIClient().get(f"{WORKFLOWS}schema/").headers["ETag"] != before


def test_key_with_grants_reads_workflows_and_writes_none():
    make_workflow(TEXT)
    client = client_of("read", "workflows", instances=[make_instance("shop")])

    assert client.get(f"{WORKFLOWS}greet/").status_code == 200
    assert put_json(client, f"{WORKFLOWS}greet/", _change()).status_code == 403
    assert post_json(client, f"{WORKFLOWS}greet/publish/").status_code == 403
    assert client.post(f"{WORKFLOWS}import/", TEXT, content_type="text/yaml").status_code == 403


@pytest.mark.parametrize("ask", [
    lambda client: put_json(client, "/api/v1/bindings/", {"workflow": "gret",
                                                          "scope": {"global": True}}),
    lambda client: client.get("/api/v1/workflows/gret/")])
def test_workflow_that_is_not_there_is_named_with_the_nearest(ask):
    make_workflow(TEXT)

    answer = ask(client_of("read", "workflows"))

    assert (answer.status_code, answer.json()["detail"]) == (
        404, "there is no workflow 'gret'; did you mean 'greet'?")


def test_event_that_is_not_there_is_named():
    make_workflow(TEXT)

    answer = client_of("read", "workflows").post(
        "/api/v1/workflows/greet/dry-run/", {"event": 1207}, content_type="application/json")

    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no event 1207")
