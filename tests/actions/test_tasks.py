"""Tasks over REST and in the admin."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from actions import tasks
from actions.models import Memory, Task
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from tests.admin_world import sign_in
from tests.api_client import client_of
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db
TASKS = "/api/v1/tasks/"


@pytest.fixture
def make_task():
    def make(slug="shop", queue="sales", **fields):
        shop = make_instance(slug) if not Task.objects.filter(instance__slug=slug).exists() else \
            Task.objects.filter(instance__slug=slug).first().instance
        return tasks.create(make_event(shop), instance=shop, kind="escalation", queue=queue,
                            note="call back", effect_key=f"t:{Task.objects.count()}", **fields)

    return make


@pytest.mark.parametrize(("verb", "state"), [("close", "done"), ("cancel", "canceled")])
def test_open_task_is_closed_once_and_by_whom(make_task, verb, state):
    task = make_task()
    client = client_of("read", "send")

    first = client.post(f"{TASKS}{task.pk}/{verb}/")
    again = client.post(f"{TASKS}{task.pk}/close/")

    assert (first.status_code, first.data["state"]) == (200, state)
    assert first.data["closed_by"] == "key:test" and first.data["closed_at"]
    assert (again.status_code, again.data["code"]) == (409, "stale")
    assert again["Content-Type"] == "application/problem+json"
    assert AuditEntry.objects.get(action=f"task.{state}").target == f"task:{task.pk}"


def test_task_is_read_with_where_it_comes_from(make_task):
    task = make_task(priority="high", run_id=7)

    answer = client_of("read").get(f"{TASKS}{task.pk}/")

    assert (answer.data["instance"], answer.data["queue"]) == ("shop", "sales")
    assert (answer.data["event"], answer.data["run_id"]) == (task.event_id, 7)
    assert (answer.data["title"], answer.data["assignee"]) == ("call back", None)
    assert "effect_key" not in answer.data


@pytest.mark.parametrize(("query", "queues"), [
    ("", ["review", "sales"]), ("state=open", ["review"]), ("state=done", ["sales"]),
    ("queue=sales", ["sales"]), ("priority=urgent", ["review"]), ("instance=shop", ["review",
                                                                                   "sales"]),
    ("instance=desk", []), ("kind=escalation&queue=review", ["review"]), ("run=9", ["review"]),
    ("assignee=ana", ["review"]), ("event=99999999999999999999", [])])
def test_list_is_narrowed(make_task, query, queues):
    tasks.settle(make_task(), "done", actor="test")
    review = make_task(queue="review", priority="urgent", run_id=9)
    tasks.assign(review, get_user_model().objects.create_user("ana").pk, actor="test")

    rows = client_of("read").get(f"{TASKS}?{query}").data["results"]

    assert [row["queue"] for row in rows] == queues


@pytest.mark.parametrize("query", ["state=lost", "unknown=1", "run=x"])
def test_odd_filter_is_refused(query):
    assert client_of("read").get(f"{TASKS}?{query}").status_code == 400


def test_tasks_of_other_instances_do_not_exist(make_task):
    mine, theirs = make_task("mine"), make_task("theirs")
    client = client_of("read", "send", instances=[mine.instance])

    assert [row["id"] for row in client.get(TASKS).data["results"]] == [mine.pk]
    assert client.post(f"{TASKS}{theirs.pk}/close/").status_code == 404
    theirs.refresh_from_db()
    assert theirs.state == "open"


def test_list_costs_the_same_for_many(make_task, django_assert_max_num_queries):
    for _ in range(8):
        make_task()
    client = client_of("read")

    with django_assert_max_num_queries(6):
        assert len(client.get(TASKS).data["results"]) == 8


def test_closed_task_can_be_opened_again_and_closed_by_one_only(make_task):
    task = make_task()
    tasks.settle(task, "done", actor="user:ana")

    assert tasks.settle(task, "open", actor="user:bo").closed_by == ""
    with pytest.raises(InvalidInput) as caught:
        tasks.settle(task, "open", actor="user:bo")
    assert caught.value.code == "stale"


def page_of(task):
    return reverse("admin:actions_task_change", args=[task.pk])


def test_person_takes_and_closes_a_task_in_the_admin(make_task):
    task, client = make_task(), sign_in()
    boss = get_user_model().objects.get()

    answer = client.post(page_of(task), {"state": "done", "assignee": boss.pk})

    task.refresh_from_db()
    assert answer.status_code == 302
    assert (task.state, task.closed_by, task.assignee) == ("done", "user:boss", boss)
    assert {"task.done", "task.assigned"} <= set(AuditEntry.objects.values_list("action",
                                                                                flat=True))


def test_rest_of_a_task_is_not_edited_in_the_admin(make_task):
    task = make_task()

    sign_in().post(page_of(task), {"state": "open", "assignee": "", "note": "forged",
                                   "queue": "forged", "instance": "1"})

    task.refresh_from_db()
    assert (task.note, task.queue, task.state) == ("call back", "sales", "open")


def test_closed_task_is_not_turned_into_another_end_in_the_admin(make_task):
    task = tasks.settle(make_task(), "done", actor="user:ana")

    answer = sign_in().post(page_of(task), {"state": "canceled", "assignee": ""})

    task.refresh_from_db()
    assert (answer.status_code, task.state, task.closed_by) == (200, "done", "user:ana")


@pytest.mark.parametrize(("scopes", "status"), [(["read"], 403), (["read", "send"], 302)])
def test_who_may_send_may_close(make_task, scopes, status):
    task = make_task()
    client = sign_in(grants=[(task.instance, scopes)], name="ana")

    answer = client.post(page_of(task), {"state": "done", "assignee": ""})

    task.refresh_from_db()
    assert (answer.status_code, task.state == "done") == (status, status == 302)


def test_task_of_a_foreign_instance_is_not_there_in_the_admin(make_task):
    mine, theirs = make_task("mine"), make_task("theirs")
    client = sign_in(grants=[(mine.instance, ["read", "send"])], name="ana")

    client.post(page_of(theirs), {"state": "done", "assignee": ""})

    theirs.refresh_from_db()
    assert theirs.state == "open"


def test_memory_is_forgotten_by_a_person_and_noted():
    shop = make_instance()
    memory = Memory.objects.create(instance=shop, text="likes tea", effect_key="m:1")

    sign_in().post(reverse("admin:actions_memory_do", args=[memory.pk, "forget"]))

    assert not Memory.objects.exists()
    assert AuditEntry.objects.get(action="memory.forgotten").target == f"memory:{memory.pk}"
