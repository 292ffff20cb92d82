"""Approvals over REST: who sees them, who may answer, and once."""

import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from connections.access import ApiKey, InstanceGrant
from registry.engine.waits import approvals, endings
from registry.models import Approval
from tests.admin_world import sign_in
from tests.api_client import client_of, post_json
from tests.factories import make_event, make_instance, make_key, make_run
from tests.registry.runs import advance

pytestmark = pytest.mark.django_db
APPROVALS = "/api/v1/approvals/"
ASK = """
- id: ok
  approval:
    ask: "Send this?"
    show: "${{ event.text }}"
    of: ["group:desk", "user:ana", "key:bot"]
    timeout: 30m
- uses: custom.send
  with: {say: "${{ default(steps.ok.output.edited, event.text) }}"}
"""


@pytest.fixture
def asked(start):
    return advance(start(ASK))


@pytest.fixture
def question(asked):
    return Approval.objects.get()


def bot(name="bot", *scopes, instances=None):
    return APIClient(headers={"x-api-key": make_key(list(scopes or ("read", "send")), instances,
                                                    name=name)})


def person(django_user_model, name, *, group="", scopes=("read", "send")):
    user = django_user_model.objects.create_user(name)
    InstanceGrant.objects.create(user=user, scopes=list(scopes))
    if group:
        user.groups.add(Group.objects.create(name=group))
    client = APIClient()
    client.force_login(user)
    return client


def answer(client, question, **body):
    return post_json(client, f"{APPROVALS}{question.pk}/answer/", body)


def test_question_is_shown_with_exactly_what_is_approved(question):
    shown = client_of("read").get(f"{APPROVALS}{question.pk}/").data

    assert (shown["ask"], shown["show"], shown["state"]) == ("Send this?", "hello", "open")
    assert (shown["instance"], shown["workflow"], shown["run"]) == (
        "shop", "probed", question.run_id)


@pytest.mark.parametrize(("query", "count"), [
    ("", 1), ("?state=open", 1), ("?state=approved", 0), ("?instance=shop", 1),
    ("?instance=desk", 0), ("?run=999999", 0), ("?mine=true", 1), ("?mine=false", 0)])
def test_approvals_are_filtered(question, query, count):
    assert len(bot().get(f"{APPROVALS}{query}").data["results"]) == count


def test_approvals_of_others_are_not_mine(question):
    client = bot("other")

    mine, others = (client.get(f"{APPROVALS}?mine={value}").data["results"]
                    for value in ("true", "false"))

    assert mine == [] and [row["id"] for row in others] == [question.pk]


def test_page_of_approvals_is_a_fixed_number_of_statements(asked, django_assert_num_queries):
    for _ in range(5):
        advance(make_run(make_event(asked.instance, text="hello"), workflow=asked.workflow))
    client = client_of("read")
    client.get(APPROVALS)

    with django_assert_num_queries(2):  # key, approvals
        rows = client.get(APPROVALS).data["results"]

    numbers = [row["id"] for row in rows]
    assert len(numbers) == 6 and numbers == sorted(numbers, reverse=True)


def test_answer_wakes_the_run_with_the_edited_text(asked, question, probe):
    answered = answer(bot(), question, decision="approve", edited="better", comment="fine")
    advance(asked)

    assert answered.status_code == 200, answered.data
    assert (answered.data["state"], answered.data["answered_by"]) == ("approved", "key:bot")
    assert (asked.state, probe.calls) == ("done", ["better"])


@pytest.mark.parametrize(("name", "group", "status"), [
    ("ana", "", 200), ("bo", "desk", 200), ("bo", "other", 403)])
def test_people_answer_by_name_or_group(question, django_user_model, name, group, status):
    answered = answer(person(django_user_model, name, group=group), question, decision="reject")

    assert answered.status_code == status


def test_refusal_names_who_is_asked(question):
    answered = answer(bot("other"), question, decision="approve")

    assert answered.status_code == 403
    assert answered.data["detail"] == (f"approval {question.pk} asks group:desk, user:ana, "
                                       "key:bot; key:other is not among them")
    question.refresh_from_db()
    assert question.state == "open"


def test_key_with_every_scope_may_answer(question):
    assert answer(client_of(), question, decision="approve").status_code == 200


def test_asked_key_without_the_scope_send_may_not_answer(question):
    assert answer(bot("bot", "read"), question, decision="approve").status_code == 403


def makes_a_key(client, name="mine", **fields):
    made = post_json(client, "/api/v1/api-keys/", {"name": name, "scopes": ["send", "admin"],
                                                   **fields})
    assert made.status_code == 201, made.data
    return APIClient(headers={"x-api-key": made.data["text"]})


@pytest.mark.parametrize(("name", "group", "key", "status"), [
    ("ana", "", "mine", 200), ("bo", "desk", "mine", 200), ("eve", "", "mine", 403),
    ("eve", "", "bot", 403)])
def test_key_answers_what_the_person_who_made_it_may(question, django_user_model, name, group,
                                                     key, status):
    client = person(django_user_model, name, group=group, scopes=("read", "send", "admin"))

    answered = answer(makes_a_key(client, key), question, decision="approve")

    assert answered.status_code == status, answered.data


def test_key_that_a_key_made_is_of_the_same_person(question, django_user_model):
    eve = person(django_user_model, "eve", scopes=("read", "send", "admin"))

    answered = answer(makes_a_key(makes_a_key(eve)), question, decision="approve")

    assert answered.status_code == 403


@pytest.mark.parametrize("change", [{"is_active": False}, {"username": "gone"}])
def test_key_of_somebody_who_is_gone_answers_nothing(question, django_user_model, change):
    key = makes_a_key(person(django_user_model, "ana", scopes=("read", "send", "admin")))
    django_user_model.objects.filter(username="ana").update(**change)

    assert answer(key, question, decision="approve").status_code == 403


def test_key_in_the_admin_is_of_the_person_who_asked_for_it(django_user_model):
    client = sign_in(grants=[(None, ["read", "send", "admin"])], name="eve")

    client.post("/admin/connections/apikey/add/", {"name": "mine", "scopes": ["admin"],
                                                   "days": "30"})

    assert ApiKey.objects.get().made_by == "user:eve"


@pytest.mark.parametrize("late", ["answered", "deadline", "closed"])
def test_answer_that_comes_too_late_is_a_conflict(asked, question, clock, late):
    if late == "answered":
        approvals.answer(question, "reject", actor="user:ana")
    elif late == "closed":
        endings.cancel_by("user:ana", asked)
    else:
        clock.forward(hours=1)

    answered = answer(bot(), question, decision="approve")

    assert (answered.status_code, answered.data["code"]) == (409, "stale")


@pytest.mark.parametrize("body", [
    {}, {"decision": "maybe"}, {"decision": "approve", "edited": ["a"]},
    {"decision": "approve", "note": "x"}])
def test_answer_that_is_none_is_refused(question, body):
    answered = answer(bot(), question, **body)

    assert answered.status_code == 400
    assert answered["content-type"] == "application/problem+json"
    question.refresh_from_db()
    assert question.state == "open"


@pytest.mark.parametrize("verb", ["", "answer/"])
def test_foreign_approval_looks_like_a_missing_one(question, verb):
    client = bot("bot", "read", "send", "admin", instances=[make_instance("desk")])
    ask = client.get if not verb else lambda path: post_json(client, path,
                                                             {"decision": "approve"})

    foreign, missing = (ask(f"{APPROVALS}{number}/{verb}") for number in (question.pk, 999_999))

    assert foreign.status_code == missing.status_code == 404
    assert foreign.data["detail"] == missing.data["detail"]


def test_trace_of_the_event_shows_the_question_and_the_wait(asked, question):
    story = client_of("read").get(f"/api/v1/events/{asked.event_id}/trace/").data

    assert [row["id"] for row in story["approvals"]] == [question.pk]
    assert [(row["run"], row["kind"], row["state"]) for row in story["waits"]] == [
        (asked.pk, "approval", "open")]
