"""Accounts over REST: credentials go in and never come out."""

import pytest

from connections.models import Instance
from events.models import Event
from omni.audit import AuditEntry
from tests.api_client import client_of, post_json
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db
SECRETS = {"token": "canary-token-0123456789abcdef",
           "previous_token": "canary-previous-0123456789abcdef"}
WEBHOOK = {"slug": "hook", "name": "Hook", "provider": "webhook"}


def test_created_instance_is_stored_with_its_webhook_address(settings):
    settings.OMNI_PUBLIC_URL = "https://omni.example"

    answer = post_json(client_of("admin"), "/api/v1/instances/",
                       {**WEBHOOK, "labels": ["eu"], "agent": "helper"})

    assert answer.status_code == 201, answer.data
    assert answer.data["webhook_url"] == "https://omni.example/webhooks/webhook/hook/"
    stored = Instance.objects.get(slug="hook")
    assert (stored.labels, stored.agent, stored.enabled) == (["eu"], "helper", True)


def test_credentials_are_written_and_only_their_names_are_read():
    client = client_of("admin")

    made = post_json(client, "/api/v1/instances/", {**WEBHOOK, "credentials": SECRETS})

    shown = client.get("/api/v1/instances/hook/")
    for answer in (made, shown):
        assert answer.data["credentials_set"] == sorted(SECRETS)
        assert "credentials" not in answer.data
        for value in SECRETS.values():
            assert value not in answer.content.decode()
    assert Instance.objects.get().credentials == SECRETS


def test_patch_merges_credentials_and_null_removes_one():
    make_instance("hook", credentials=SECRETS)
    name = next(iter(SECRETS))
    client = client_of("admin")

    kept = client.patch("/api/v1/instances/hook/", {"name": "New", "credentials": {}},
                        format="json")
    removed = client.patch("/api/v1/instances/hook/", {"credentials": {name: None}},
                           format="json")

    assert kept.data["credentials_set"] == sorted(SECRETS), kept.data
    assert removed.data["credentials_set"] == sorted(set(SECRETS) - {name})


@pytest.mark.parametrize(("change", "pointer"), [
    ({"provider": "webhok"}, "/provider"),
    ({"slug": "Not A Slug"}, "/slug"),
    ({"settings": {"no_such_setting": 1}}, "/settings/no_such_setting"),
    ({"credentials": {"no_such_secret": "x"}}, "/credentials/no_such_secret"),
    ({"labels": "eu"}, "/labels"),
    ({"id": 7}, "/id"),
    ({"created_by": "me"}, "/created_by"),
    ({"archived_at": None}, "/archived_at"),
])
def test_wrong_field_of_an_instance_is_named(change, pointer):
    answer = post_json(client_of("admin"), "/api/v1/instances/", {**WEBHOOK, **change})

    assert answer.status_code == 400
    assert pointer in [error["pointer"] for error in answer.data["errors"]], answer.data
    assert not Instance.objects.exists()


def test_taken_slug_is_refused():
    make_instance("hook")

    answer = post_json(client_of("admin"), "/api/v1/instances/", WEBHOOK)

    assert answer.status_code == 400 and answer.data["errors"][0]["pointer"] == "/slug"


@pytest.mark.parametrize("change", [{"slug": "other"}, {"provider": "webchat"}])
def test_slug_and_provider_never_change(change):
    make_instance("hook")

    answer = client_of("admin").patch("/api/v1/instances/hook/", change, format="json")

    assert answer.status_code == 400
    assert answer.data["errors"][0]["pointer"] == f"/{next(iter(change))}"


def test_archived_instance_keeps_its_events_and_is_switched_off():
    event = make_event(make_instance("hook"))

    answer = post_json(client_of("admin"), "/api/v1/instances/hook/archive/")

    assert answer.status_code == 200 and answer.data["archived_at"]
    assert Instance.objects.get().enabled is False
    assert Event.objects.filter(pk=event.pk).exists()


def test_delete_is_not_offered():
    make_instance("hook")

    assert client_of("admin").delete("/api/v1/instances/hook/").status_code == 405


def test_health_is_what_the_adapter_says():
    make_instance("hook")

    answer = client_of("read").get("/api/v1/instances/hook/health/")

    assert answer.status_code == 200
    assert set(answer.data) == {"state", "detail", "qr"}


def test_key_with_grants_cannot_make_instances():
    shop = make_instance("shop")

    answer = post_json(client_of("admin", instances=[shop]), "/api/v1/instances/", WEBHOOK)

    assert answer.status_code == 403
    assert Instance.objects.count() == 1


def test_changes_are_audited_without_values():
    client = client_of("admin")

    post_json(client, "/api/v1/instances/", {**WEBHOOK, "credentials": SECRETS})
    client.patch("/api/v1/instances/hook/", {"name": "New"}, format="json")

    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.action for entry in entries] == ["instance.created", "instance.changed"]
    assert entries[1].facts == {"fields": ["name"]} and entries[1].actor == "key:test"
