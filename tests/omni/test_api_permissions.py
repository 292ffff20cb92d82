"""Every address of the API against every kind of caller; a new address without a row fails."""

import hashlib

import pytest
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from actions.library import actions
from actions.models import Agent, ContactList, Task
from connections.access import SYSTEM, ApiKey
from connections.models import Secret
from events.models import Contact, Conversation, EventAction, Handle, OutboxMessage, RawPayload
from registry.models import Approval, Run, Wait
from registry.trials import jobs
from registry.versions import bindings
from tests.api_client import client_of
from tests.factories import make_event, make_instance, make_key, make_workflow

pytestmark = pytest.mark.django_db
YAML = """\
omni: 1
id: {id}
trigger:
  - event: message.text
steps:
  - stop: done
"""
BODIES = {
    "instance-list post": {"slug": "new", "name": "New", "provider": "webhook"},
    "api-key-list post": {"name": "x", "scopes": ["read"]},
    "secret-list post": {"name": "crm", "value": "long enough"},
    "agent-list post": {"slug": "new", "name": "New"},
    "contact-list-list post": {"name": "new", "instance": "shop"},
    "message-send post": {"instance": "shop", "to": "x", "text": "y"},
    "binding-list put": {"workflow": "greet", "scope": {"instance": "shop"}},
    "workflow-list post": {"text": YAML.format(id="new")},
    "workflow-detail put": {"text": YAML.format(id="greet")},
    "workflow-import post": {"text": YAML.format(id="new")},
    "workflow-validate post": {"text": YAML.format(id="new")},
    "workflow-run post": {"instance": "shop"},
    "workflow-dry-run post": {"event": "message.text"},
    "workflow-backtest post": {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
}
# address and method: (key with read on every instance, key with every scope on another instance)
EXPECTED = {
    "instance-list get": (200, 200), "instance-list post": (403, 403),
    "instance-detail get": (200, 404), "instance-detail patch": (403, 404),
    "instance-archive post": (403, 404), "instance-health get": (200, 404),
    "instance-set-up post": (403, 404),
    "api-key-list get": (403, 200), "api-key-list post": (403, 403),
    "api-key-detail get": (403, 404), "api-key-revoke post": (403, 404),
    "secret-list get": (403, 200), "secret-list post": (403, 403),
    "secret-detail get": (403, 404), "secret-detail patch": (403, 404),
    "secret-detail delete": (403, 404),
    "event-list get": (200, 200), "event-detail get": (200, 404), "event-raw get": (200, 404),
    "event-actions get": (200, 404), "event-trace get": (200, 404),
    "event-attachment get": (404, 404),
    "event-replay post": (403, 404),
    "event-action-list get": (200, 200), "event-action-detail get": (200, 404),
    "raw-payload-list get": (200, 200), "raw-payload-detail get": (200, 404),
    "raw-payload-replay post": (403, 404),
    "conversation-list get": (200, 200), "conversation-detail get": (200, 404),
    "conversation-split post": (403, 404),
    "contact-list get": (200, 200), "contact-detail get": (200, 404),
    "outbox-list get": (200, 200), "outbox-detail get": (200, 404),
    "message-send post": (403, 404),
    "agent-list get": (200, 200), "agent-list post": (403, 403),
    "agent-detail get": (200, 200), "agent-detail patch": (403, 403),
    "agent-detail delete": (403, 403),
    "contact-list-list get": (200, 200), "contact-list-list post": (403, 400),
    "contact-list-detail get": (200, 404), "contact-list-detail patch": (403, 404),
    "contact-list-detail delete": (403, 404),
    "workflow-list get": (200, 200), "workflow-list post": (403, 403),
    "workflow-detail get": (200, 200), "workflow-detail put": (403, 403),
    "workflow-validate post": (403, 200), "workflow-import post": (403, 403),
    "workflow-schema get": (200, 200), "workflow-publish post": (403, 403),
    "workflow-versions get": (200, 200), "workflow-version get": (200, 200),
    "workflow-export get": (200, 200), "workflow-run post": (403, 404),
    "workflow-rollback post": (403, 403), "workflow-diff get": (200, 200),
    "workflow-canary post": (403, 403), "workflow-promote post": (403, 403),
    "workflow-effective get": (200, 200),
    "workflow-pause post": (403, 403), "workflow-drain post": (403, 403),
    "workflow-resume post": (403, 403),
    "workflow-dry-run post": (403, 200), "workflow-backtest post": (403, 200),
    "workflow-backtests get": (403, 200), "workflow-backtest-job get": (403, 404),
    "workflow-backtest-job delete": (403, 404),
    "workflow-test post": (403, 403),
    "workflow-pins get": (200, 403), "workflow-pins put": (403, 403),
    "binding-list get": (200, 200), "binding-list put": (403, 404),
    "binding-detail get": (200, 404), "binding-detail delete": (403, 404),
    "run-list get": (200, 200), "run-detail get": (200, 404), "run-actions get": (200, 404),
    "run-rerun post": (403, 404), "run-cancel post": (403, 404),
    "task-list get": (200, 200), "task-detail get": (200, 404),
    "task-close post": (403, 404), "task-cancel post": (403, 404),
    "approval-list get": (200, 200), "approval-detail get": (200, 404),
    "approval-answer post": (403, 404),
    "catalog-actions get": (200, 200), "catalog-action get": (200, 200),
    "catalog-providers get": (200, 200), "catalog-provider get": (200, 200),
}


def routes(patterns=None):
    """(name of the address, method) for everything the API serves."""
    for pattern in get_resolver("omni.urls_api").url_patterns if patterns is None else patterns:
        if not isinstance(pattern, URLPattern):
            yield from routes(pattern.url_patterns)
            continue
        view = pattern.callback
        methods = getattr(view, "actions", None) or [
            name for name in view.cls.http_method_names if hasattr(view.cls, name)]
        for method in methods:
            if method in view.cls.http_method_names and method not in ("options", "head"):
                yield pattern.name, method


ROUTES = sorted(set(routes()))
PUBLIC = {("workflow-schema", "get")}  # editors fetch it


@pytest.fixture
def rows():
    """One row of everything on the instance `shop`: {first part of an address's name: kwargs}."""
    shop = make_instance("shop", agent="helper")
    now, body = timezone.now(), b"{}"
    raw = RawPayload.objects.create(
        instance=shop, provider="webhook", received_at=now, body=body, size_bytes=2,
        sha256=hashlib.sha256(body).hexdigest(), last_seen_at=now)
    event = make_event(shop, raw_id=raw.pk)
    workflow = make_workflow(YAML.format(id="greet"))
    run = Run.objects.create(instance=shop, event=event, workflow=workflow,
                             version=workflow.latest(), available_at=now, created_at=now)
    outcome = EventAction.objects.create(
        instance=shop, event=event, run_id=run.pk, workflow="greet", path="steps[0]",
        step_kind="stop", status="done", started_at=now, ended_at=now, duration_ms=1.0)
    person = Contact.objects.create(name="Ana")
    Handle.objects.create(provider="webhook", kind="phone", value="+5511",
                          contact=person).instances.add(shop)
    make_key(["read"], [shop], name="of shop")
    Agent.objects.create(slug="helper", name="Helper")
    wait = Wait.objects.create(run=run, instance=shop, path="steps[0]", kind="approval",
                               created_at=now)
    question = Approval.objects.create(run=run, wait=wait, instance=shop, event=event,
                                       ask="Send it to Ana?", of=["user:ana"], created_at=now)
    return {
        "approval": {"pk": question.pk},
        "instance": {"slug": "shop"}, "workflow": {"slug": "greet"}, "agent": {"slug": "helper"},
        "api-key": {"pk": ApiKey.objects.get(name="of shop").pk},
        "event": {"pk": event.pk}, "event-action": {"pk": outcome.pk},
        "raw-payload": {"pk": raw.pk}, "run": {"pk": run.pk}, "contact": {"pk": person.pk},
        "conversation": {"pk": Conversation.objects.create(instance=shop, ref="a").pk},
        "outbox": {"pk": OutboxMessage.objects.create(
            instance=shop, effect_key="e:1", kind="text", request_hash="x").pk},
        "contact-list": {"pk": ContactList.objects.create(name="vip", instance=shop).pk},
        "task": {"pk": Task.objects.create(
            instance=shop, kind="escalation", queue="sales", title="Ana", effect_key="t:1").pk},
        "binding": {"pk": bindings.bind(workflow, scope="instance", instance=shop, actor="t").pk},
        "secret": {"pk": Secret.objects.create(name="of_shop", value="x" * 8, instance=shop).pk},
        "backtest": {"number": jobs.queue("backtest", "{}", SYSTEM, workflow="greet")},
        "catalog-action": {"id": next(iter(actions()))}, "catalog-provider": {"name": "webhook"},
    }


def address(name, rows):
    if name.endswith("-list") or name in (
            "message-send", "catalog-actions", "catalog-providers",
            "workflow-validate", "workflow-import", "workflow-schema"):
        return reverse(name)
    kind = name if name in rows else name.rsplit("-", 1)[0]
    kind = {"instance-set-up": "instance", "workflow-dry-run": "workflow",
            "workflow-backtest-job": "workflow"}.get(name, kind)
    extra = {"workflow-version": {"number": 1}, "event-attachment": {"position": 0},
             "workflow-backtest-job": rows["backtest"]}.get(name, {})
    return reverse(name, kwargs=rows[kind] | extra)


def ask(client, name, method, rows):
    body = BODIES.get(f"{name} {method}", {})
    return getattr(client, method)(address(name, rows), **(
        {} if method == "get" else {"data": body, "format": "json"}))


def test_every_address_has_its_expected_answers():
    assert {f"{name} {method}" for name, method in ROUTES} == set(EXPECTED)


@pytest.mark.parametrize(("name", "method"), [route for route in ROUTES if route not in PUBLIC])
def test_without_credentials_nothing_is_shown(name, method, rows):
    answer = ask(APIClient(), name, method, rows)

    assert answer.status_code == 401


@pytest.mark.parametrize(("name", "method"), ROUTES)
def test_read_key_reads_everything_and_changes_nothing(name, method, rows):
    answer = ask(client_of("read"), name, method, rows)

    assert answer.status_code == EXPECTED[f"{name} {method}"][0], answer.content


@pytest.mark.parametrize(("name", "method"), ROUTES)
def test_key_of_another_instance_neither_sees_nor_changes(name, method, rows):
    client = client_of(instances=[make_instance("desk")])

    answer = ask(client, name, method, rows)

    assert answer.status_code == EXPECTED[f"{name} {method}"][1], answer.content
    if name.endswith("-list") and method == "get" and name not in (
            "workflow-list", "agent-list"):
        shown = answer.content.decode()
        assert "shop" not in shown and "+5511" not in shown and "Ana" not in shown


@pytest.mark.parametrize("name", [name for name, method in ROUTES
                                  if name.endswith("-detail") and method == "get"])
def test_foreign_row_answers_like_a_missing_one(name, rows):
    client = client_of(instances=[make_instance("desk")])
    foreign = ask(client, name, "get", rows)
    if foreign.status_code == 200:
        return  # workflows and agents belong to no instance

    kind = name.removesuffix("-detail")
    rows[kind] = {key: "nowhere" if key == "slug" else 999_999 for key in rows[kind]}
    missing = ask(client, name, "get", rows)

    same = {"type", "title", "status", "detail", "code"}
    assert {key: foreign.data[key] for key in same} == {key: missing.data[key] for key in same}


def test_session_without_grants_sees_nothing(django_user_model, rows):
    person = django_user_model.objects.create_user("eve", password="a long enough password")
    client = APIClient()
    client.force_login(person)

    assert client.get("/api/v1/events/").status_code == 403


TAKEN = {  # address: bodies that name what is there, what is not, and what cannot be
    "instance-list post": [{"slug": slug, "name": "x", "provider": "webhook"}
                           for slug in ("shop", "free", "No Slug")],
    "secret-list post": [{"name": name, "value": "long enough"}
                         for name in ("of_all", "free", "no name")],
    "secret-list post ": [{"name": name, "value": "long enough", "instance": ""}
                          for name in ("of_all", "free")],
    "agent-list post": [{"slug": slug, "name": "x"} for slug in ("helper", "free", "No Slug")],
    "agent-detail patch": [{"slug": slug} for slug in ("other", "free", "No Slug")],
    "contact-list-list post": [{"name": name} for name in ("of all", "free", "")],
    "workflow-list post": [{"text": YAML.format(id=id)} for id in ("greet", "free", "No Id")],
    "workflow-import post": [{"text": YAML.format(id=id)} for id in ("greet", "free")] + [{}],
    "workflow-detail put": [{"text": YAML.format(id=id)} for id in ("greet", "free")] + [
        {"text": YAML.format(id="greet"), "base_revision": 99}, {}],
}


@pytest.mark.parametrize("asked", sorted(TAKEN))
def test_who_may_not_write_is_told_so_before_what_is_wrong_or_taken(asked, rows):
    Secret.objects.create(name="of_all", value="x" * 8)
    ContactList.objects.create(name="of all")
    Agent.objects.create(slug="other", name="Other")
    client, (name, method) = client_of(instances=[make_instance("desk")]), asked.split()

    answers = [getattr(client, method)(address(name, rows), data=body, format="json")
               for body in TAKEN[asked]]

    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
