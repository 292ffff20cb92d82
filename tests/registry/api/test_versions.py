"""Versions over REST: differences, going back, canaries, effective views, stale saves."""

import pytest

from omni.api import PROBLEM
from registry.models import Binding, Workflow
from registry.versions import bindings, drafts
from tests.api_client import client_of, post_json, put_json
from tests.factories import make_event, make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db
GREET = "/api/v1/workflows/greet/"
BINDINGS = "/api/v1/bindings/"
TEXT = """\
omni: 1
id: greet
name: Greet
trigger:
  - event: message.text
    where: event.from_me
steps:
  - {id: first, set: {a: 1}}
"""
BROKEN = TEXT.replace("trigger:", "triger:")
WIDER = TEXT.replace("event.from_me", "event.text").replace("{a: 1}", "{a: 2}")
SENDER = """\
omni: 1
id: %s
trigger: [{event: message.text}]
steps: [{uses: route.reply, with: {text: hello}}]
"""
VERBS = [("post", "rollback/", {"version": 1}), ("post", "canary/", {"instance": "shop"}),
         ("post", "promote/", {"version": 1})]


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def two_versions():
    make_workflow(TEXT)
    return make_workflow(WIDER)


# --- warnings


def test_publishing_answers_with_what_is_doubtful(shop):
    switch_on(SENDER % "other")
    switch_on(SENDER % "greet")

    answer = post_json(client_of("workflows"), f"{GREET}publish/")

    assert answer.status_code == 201, answer.data
    codes = {item["code"]: item for item in answer.data["warnings"]}
    assert set(codes) == {"no_claim", "double_send"}
    assert "'other'" in codes["double_send"]["message"]
    assert codes["double_send"]["workflow"] == "greet" and codes["double_send"]["line"] == 3


def test_import_answers_with_the_warnings_of_each_document():
    text = "---\n".join([SENDER % "one", SENDER % "two", TEXT])

    answer = client_of("workflows").post("/api/v1/workflows/import/", text,
                                         content_type="text/yaml")

    assert [(item["workflow"], item["code"]) for item in answer.data["warnings"]] == [
        ("one", "no_claim"), ("two", "no_claim")]


# --- stale


def stale_save(client, **body):
    base = make_workflow(TEXT).revision
    drafts.save_draft(TEXT.replace("Greet", "Theirs"), actor="t")
    return {"base_revision": base, **body}


@pytest.mark.parametrize("verb", ["save", "publish"])
def test_stale_save_answers_with_both_texts_and_their_difference(verb):
    client, mine = client_of("workflows"), TEXT.replace("Greet", "Mine")
    body = stale_save(client, text=mine)

    answer = (put_json(client, GREET, body) if verb == "save"
              else post_json(client, f"{GREET}publish/", body))

    assert (answer.status_code, answer.data["code"]) == (409, "stale")
    assert answer.headers["Content-Type"] == PROBLEM
    assert (answer.data["stored"], answer.data["yours"]) == (TEXT.replace("Greet", "Theirs"), mine)
    assert "-name: Theirs\n+name: Mine\n" in answer.data["diff"]
    assert Workflow.objects.get().versions.count() == 1


def test_stale_publish_without_a_text_shows_what_is_stored():
    client = client_of("workflows")

    answer = post_json(client, f"{GREET}publish/", stale_save(client))

    assert (answer.status_code, answer.data["yours"], answer.data["diff"]) == (409, None, "")
    assert answer.data["stored"] == TEXT.replace("Greet", "Theirs")


def test_text_is_saved_and_published_at_once():
    revision = make_workflow(TEXT).revision

    answer = post_json(client_of("workflows"), f"{GREET}publish/",
                       {"text": WIDER, "base_revision": revision})

    assert (answer.status_code, answer.data["number"]) == (201, 2)
    assert Workflow.objects.get().draft == WIDER


@pytest.mark.parametrize("text", [BROKEN, TEXT.replace("id: greet", "id: other"), "a: [", ""])
def test_text_that_cannot_be_published_is_not_saved(text):
    make_workflow(TEXT)

    answer = post_json(client_of("workflows"), f"{GREET}publish/", {"text": text})

    assert answer.status_code == 400
    assert Workflow.objects.get().draft == TEXT


# --- rolling back


def test_rolling_back_publishes_the_old_text_as_the_newest_version(two_versions):
    answer = post_json(client_of("workflows"), f"{GREET}rollback/", {"version": 1})

    assert answer.status_code == 201, answer.data
    assert (answer.data["number"], answer.data["text"]) == (3, TEXT)
    assert answer.data["note"] == "rolled back to version 1" and answer.data["warnings"] == []


def test_rolling_back_over_a_newer_draft_is_stale(two_versions):
    revision = two_versions.revision
    drafts.save_draft(TEXT.replace("Greet", "Theirs"), actor="t")

    answer = post_json(client_of("workflows"), f"{GREET}rollback/",
                       {"version": 1, "base_revision": revision})

    assert (answer.status_code, answer.data["code"]) == (409, "stale")
    assert (answer.data["stored"], answer.data["yours"]) == (TEXT.replace("Greet", "Theirs"), TEXT)


@pytest.mark.parametrize(("body", "status"), [
    ({}, 400), ({"version": 0}, 400), ({"version": "x"}, 400), ({"version": 9}, 404),
    ({"version": 10 ** 23}, 400), ({"version": 1, "force": True}, 400)])
def test_wrong_roll_back_changes_nothing(two_versions, body, status):
    answer = post_json(client_of("workflows"), f"{GREET}rollback/", body)

    assert answer.status_code == status and two_versions.versions.count() == 2


# --- difference


def test_difference_has_the_lines_the_parts_and_the_events(two_versions, shop):
    event = make_event(shop)

    answer = client_of("read").get(f"{GREET}diff/?before=1&after=2")

    assert answer.status_code == 200, answer.data
    data = answer.json()
    assert (data["workflow"], data["before"], data["after"]) == ("greet", 1, 2)
    assert "+    where: event.text" in data["text"] and data["problems"] == []
    assert [item["at"] for item in data["structure"]["triggers"]] == ["trigger[0]"]
    assert data["structure"]["steps"] == [
        {"at": "first", "change": "changed", "before": {"id": "first", "set": {"a": 1}},
         "after": {"id": "first", "set": {"a": 2}}}]
    found = data["matching"]
    assert (found["examined"], found["is_cut"], found["gained"], found["lost"]) == (1, False, 1, 0)
    assert (found["is_bound"], found["instances"]) == (False, ["shop"])
    assert found["gained_examples"][0]["event"] == event.pk
    assert found["gained_examples"][0]["why"] == "event.from_me"


def test_newest_version_is_compared_with_the_draft_unless_said_otherwise(two_versions):
    drafts.save_draft(TEXT.replace("Greet", "Draft"), actor="t")

    data = client_of("read").get(f"{GREET}diff/").data

    assert (data["before"], data["after"]) == (2, None) and "+name: Draft" in data["text"]


@pytest.mark.parametrize(("draft", "has_structure"), [(BROKEN, True), (TEXT + "a: &x 1\n", False)])
def test_draft_with_errors_is_compared_as_far_as_it_goes(two_versions, draft, has_structure):
    Workflow.objects.update(draft=draft)

    data = client_of("read").get(f"{GREET}diff/").data

    assert data["matching"] is None and data["text"]
    assert data["problems"][0]["line"] and bool(data["structure"]) is has_structure


@pytest.mark.parametrize(("query", "status"), [
    ("before=9", 404), ("after=9", 404), ("before=x", 400), ("days=0", 400), ("days=9999", 400),
    ("events=0", 400), ("events=999999", 400), ("instance=nowhere", 404), ("nothing=1", 400),
    (f"before={10 ** 23}", 400), ("instance=%00", 400)])
def test_wrong_question_is_refused(two_versions, query, status):
    assert client_of("read").get(f"{GREET}diff/?{query}").status_code == status


def test_nothing_published_has_no_difference():
    drafts.save_draft(TEXT, actor="t")

    assert client_of("read").get(f"{GREET}diff/").status_code == 400


def test_difference_is_over_the_caller_s_own_instances(two_versions, shop):
    desk = make_instance("desk")
    make_event(desk)
    client = client_of("read", instances=[shop])

    found = client.get(f"{GREET}diff/?before=1&after=2").data["matching"]
    foreign = client.get(f"{GREET}diff/?instance=desk")
    missing = client.get(f"{GREET}diff/?instance=nowhere")

    assert (found["examined"], found["instances"]) == (0, ["shop"])
    assert foreign.status_code == missing.status_code == 404
    assert foreign.data["detail"].replace("desk", "nowhere") == missing.data["detail"]


# --- canary


def test_canary_and_promotion_say_which_bindings_changed(two_versions, shop):
    bindings.bind(two_versions, scope="global", actor="t")
    client = client_of("workflows")

    tried = post_json(client, f"{GREET}canary/", {"instance": "shop"})
    promoted = post_json(client, f"{GREET}promote/")

    assert (tried.status_code, tried.data["version"]) == (200, 2)
    assert tried.json()["bindings"] == [
        {"scope": "global", "instance": "", "provider": "", "change": "pinned", "before": None,
         "after": 1},
        {"scope": "instance", "instance": "shop", "provider": "", "change": "made", "before": None,
         "after": 2}]
    assert promoted.status_code == 200 and promoted.data["version"] == 2
    assert [row["change"] for row in promoted.json()["bindings"]] == ["pinned", "ended"]
    assert Binding.objects.get().version is None


@pytest.mark.parametrize(("body", "status"), [
    ({}, 400), ({"instance": "nowhere"}, 404), ({"instance": "shop", "version": 9}, 400),
    ({"instance": "shop", "version": 1, "draft": True}, 400), ({"instance": "shop", "x": 1}, 400),
    ({"instance": ["shop"]}, 400)])
def test_wrong_canary_changes_nothing(two_versions, shop, body, status):
    answer = post_json(client_of("workflows"), f"{GREET}canary/", body)

    assert answer.status_code == status, answer.data
    assert not Binding.objects.exists()


def test_canary_of_the_draft_publishes_it(two_versions, shop):
    drafts.save_draft(TEXT.replace("Greet", "Draft"), actor="t")

    answer = post_json(client_of("workflows"), f"{GREET}canary/",
                       {"instance": "shop", "draft": True})

    assert answer.data["version"] == 3


def test_nothing_to_promote_is_a_conflict(two_versions):
    answer = post_json(client_of("workflows"), f"{GREET}promote/")

    assert (answer.status_code, answer.data["code"]) == (409, "no_canary")
    assert post_json(client_of("workflows"), f"{GREET}promote/",
                     {"version": 9}).status_code == 400


@pytest.mark.parametrize(("method", "path", "body"), VERBS)
def test_key_with_grants_and_key_that_reads_may_not_choose_versions(two_versions, shop, method,
                                                                   path, body):
    for client in (client_of("read"), client_of("read", "workflows", instances=[shop])):
        assert getattr(client, method)(f"{GREET}{path}", body, format="json").status_code == 403

    assert two_versions.versions.count() == 2 and not Binding.objects.exists()


@pytest.mark.parametrize(("method", "path", "body"), [
    *VERBS, ("get", "diff/", None), ("get", "effective/", None)])
def test_unknown_workflow_is_not_found(method, path, body):
    answer = getattr(client_of(), method)(f"/api/v1/workflows/nothing/{path}", body,
                                          format="json" if body else None)

    assert answer.status_code == 404


# --- effective view


def test_effective_view_names_the_origin_of_each_value(two_versions, shop):
    bindings.bind(two_versions, scope="global", priority=7, actor="t")

    [row] = client_of("read").get(f"{GREET}effective/").json()["results"]

    assert (row["instance"], row["is_on"], row["off_because"]) == ("shop", True, "")
    assert row["priority"] == {"value": 7, "origin": "global"}
    assert row["version"] == {"value": 2, "origin": "newest"}
    assert row["enabled"] == {"value": True, "origin": "global"}


def test_effective_view_is_of_the_caller_s_instances(two_versions, shop):
    make_instance("desk")
    client = client_of("read", instances=[shop])

    rows = client.get(f"{GREET}effective/").data["results"]
    foreign, missing = (client.get(f"{GREET}effective/?instance={slug}")
                        for slug in ("desk", "nowhere"))

    assert [row["instance"] for row in rows] == ["shop"]
    assert rows[0]["off_because"] == "no binding of the instance, its provider or global"
    assert foreign.status_code == missing.status_code == 404


def test_effective_view_of_one_instance(two_versions, shop):
    make_instance("desk")

    rows = client_of("read").get(f"{GREET}effective/?instance=shop").data["results"]

    assert [row["instance"] for row in rows] == ["shop"]


# --- bindings


def bound(client, **body):
    return put_json(client, BINDINGS, {"workflow": "greet", "scope": {"global": True}, **body})


def test_binding_saved_over_a_change_of_somebody_else_is_stale(two_versions):
    client = client_of("workflows")
    base = bound(client).data["revision"]
    theirs = bound(client, priority=5, base_revision=base)

    answer = bound(client, priority=9, base_revision=base)

    assert theirs.status_code == 200
    assert (answer.status_code, answer.data["code"]) == (409, "stale")
    assert answer.data["stored"] == theirs.data and answer.data["yours"]["priority"] == 9
    assert '-  "priority": 5' in answer.data["diff"]
    assert Binding.objects.get().priority == 5


@pytest.mark.parametrize(("base", "status"), [(0, 200), (1, 409), (-1, 400), ("x", 400)])
def test_binding_that_is_not_there_has_revision_zero(two_versions, base, status):
    answer = bound(client_of("workflows"), base_revision=base)

    assert answer.status_code == status, answer.data
    assert Binding.objects.exists() is (status == 200)


def test_binding_is_read_and_ended(two_versions):
    client = client_of("read", "workflows")
    made = bound(client).data

    assert client.get(f"{BINDINGS}{made['id']}/").data == made
    assert client.delete(f"{BINDINGS}{made['id']}/").status_code == 204
    assert client.get(f"{BINDINGS}{made['id']}/").status_code == 404
    assert not Binding.objects.exists()


def test_key_with_grants_ends_its_own_bindings_only(two_versions, shop):
    desk = make_instance("desk")
    wide = bindings.bind(two_versions, scope="global", actor="t")
    mine, theirs = (bindings.bind(two_versions, scope="instance", instance=instance, actor="t")
                    for instance in (shop, desk))
    client = client_of("read", "workflows", instances=[shop])

    answers = [client.delete(f"{BINDINGS}{number}/").status_code
               for number in (mine.pk, theirs.pk, wide.pk, 999_999, 10 ** 23)]

    assert answers == [204, 404, 403, 404, 404]
    assert set(Binding.objects.values_list("pk", flat=True)) == {theirs.pk, wide.pk}


def test_reader_ends_no_binding(two_versions):
    binding = bindings.bind(two_versions, scope="global", actor="t")

    assert client_of("read").delete(f"{BINDINGS}{binding.pk}/").status_code == 403
