import json

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import Schedule

from connections.access import ApiKey
from omni.admin.pages import pretty
from omni.admin.paginator import estimate
from omni.audit import AuditEntry
from tests.admin_world import CANARY, make_surroundings, make_world, sign_in

pytestmark = pytest.mark.django_db
QUERIES_MOST = 25

LISTS = sorted(f"{model._meta.app_label}_{model._meta.model_name}"
               for model in admin.site._registry)
OURS = {"omni", "connections", "events", "actions", "registry", "auth"}


@pytest.fixture
def world():
    found = make_world()
    make_surroundings()
    ApiKey.issue("backup", scopes=["read"])
    Schedule.objects.create(func="math.sqrt", args="4")
    return found


def address(name, page, *args):
    return reverse(f"admin:{name}_{page}", args=args)


@pytest.mark.parametrize("name", LISTS)
def test_list_answers_with_few_queries(world, name):
    client = sign_in()

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address(name, "changelist"))

    assert answer.status_code == 200
    assert len(asked) <= QUERIES_MOST
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize("name", [name for name in LISTS if name.split("_")[0] in OURS])
def test_page_of_one_row_answers_with_few_queries(world, name):
    client = sign_in()
    get_user_model().objects.first().groups.create(name="authors")
    model = next(model for model in admin.site._registry
                 if f"{model._meta.app_label}_{model._meta.model_name}" == name)
    row = model._default_manager.first()

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address(name, "change", row.pk))

    assert answer.status_code == 200
    assert len(asked) <= QUERIES_MOST
    assert CANARY not in answer.content.decode()


@pytest.mark.parametrize("name", ["connections_instance", "connections_apikey", "actions_agent",
                                  "actions_contactlist", "registry_workflow", "auth_user"])
def test_form_for_a_new_row_answers(world, name):
    answer = sign_in().get(address(name, "add"))

    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["events_event", "events_rawpayload", "registry_run",
                                  "registry_approval",
                                  "registry_routingdecision", "omni_auditentry",
                                  "registry_workflowversion"])
def test_archive_offers_neither_add_nor_delete(world, name):
    client = sign_in()
    model = next(model for model in admin.site._registry
                 if f"{model._meta.app_label}_{model._meta.model_name}" == name)
    row = model._default_manager.first()

    assert client.get(address(name, "add")).status_code == 403
    assert client.post(address(name, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert client.post(address(name, "change", row.pk), {}).status_code == 403


def test_pages_ask_no_other_host(world):
    client = sign_in()

    for page in (reverse("admin:index"), address("events_event", "change", world.event.pk),
                 address("registry_workflow", "change", world.workflow.pk)):
        text = client.get(page).content.decode()
        assert 'src="http' not in text and 'href="http' not in text


def test_dashboard_counts_what_waits_for_a_person(world):
    text = sign_in().get(reverse("admin:index")).content.decode()

    assert "Unknown sends" in text and "?open=1" in text
    assert text.count("is-alarm") == 3


def test_dashboard_cost_does_not_grow_with_instances(world):
    client = sign_in()
    with CaptureQueriesContext(connection) as before:
        client.get(reverse("admin:index"))
    for number in range(5):
        make_world(slug=f"shop-{number}")

    with CaptureQueriesContext(connection) as after:
        client.get(reverse("admin:index"))

    assert len(after) <= len(before)


def test_person_without_grants_sees_an_empty_dashboard(world):
    text = sign_in(grants=[], name="newcomer").get(reverse("admin:index")).content.decode()

    assert "You have no grants yet" in text
    assert "events/event/" not in text


def test_older_page_goes_on_below_the_last_row(world):
    for _ in range(60):
        AuditEntry.objects.create(at=world.event.received_at, actor="a", action="b", hash="c")
    client = sign_in()

    first = client.get(address("omni_auditentry", "changelist")).context["cl"]
    second = client.get(address("omni_auditentry", "changelist") + first.next_url).context["cl"]

    shown = [row.pk for row in (*first.result_list, *second.result_list)]
    assert shown == sorted(AuditEntry.objects.values_list("pk", flat=True), reverse=True)
    assert second.next_url == "" and second.first_url


def test_estimate_of_a_partitioned_table_is_the_sum_of_its_months(world):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE omni_raw_payloads")

    assert estimate("omni_raw_payloads") == 1
    assert estimate("no_such_table") == 0


def test_pretty_escapes_what_a_person_wrote():
    shown = pretty({"text": "<script>alert(1)</script>"})

    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_pretty_cuts_what_is_too_long():
    shown = pretty({"text": "x" * 200_000})

    assert len(shown) < 110_000
    assert "characters more" in shown


def test_message_of_an_event_is_escaped_on_its_page(world):
    event = world.event
    type(event).objects.filter(pk=event.pk).update(
        text="<img src=x onerror=alert(1)>", content=json.loads('{"a": "</pre><script>"}'))

    text = sign_in().get(address("events_event", "change", event.pk)).content.decode()

    assert "<img src=x" not in text and "</pre><script>" not in text
