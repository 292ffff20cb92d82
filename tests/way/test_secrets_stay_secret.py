"""A canary in every place where a secret may be given: it stands nowhere but at its receiver."""

import json
import logging

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse

from connections import library
from tests.api_client import client_of, post_json, put_json
from tests.factories import evolution_text
from tests.omni.admin.test_permissions import MODELS
from tests.registry.runs import work
from tests.stored import everything_stored

pytestmark = [pytest.mark.django_db, pytest.mark.peers, pytest.mark.slow]
PASSWORD = "canary-password-of-the-boss"
TOKEN = "canary-webhook-token-0123456789"
GIVEN = {  # provider: a text for each credential it takes
    "webhook": {"token": TOKEN, "previous_token": "canary-earlier-token",
                "secret": "canary-shared-secret", "previous_secrets": ["canary-earlier-secret"],
                "send_secret": "whsec_Y2FuYXJ5LXNlbmQtc2VjcmV0LTAx",
                "send_authorization": "Bearer canary-authorization"},
    "webchat": {"secret": "canary-webchat-secret-0123456789"},
    "whatsapp_evolution": {
        "api_key": "canary-evolution-key", "webhook_secret": "canary-evolution-secret",
        "webhook_secret_previous": "canary-evolution-earlier", "jwt_key": "canary-jwt-key",
        "jwt_key_previous": "canary-jwt-earlier"}}
STORED = {"address": "/canary-path", "signing": "whsec_Y2FuYXJ5LXN0b3JlZC1zZWNyZXQw"}
AGENT = "canary-agent-key"
HEAD = "omni: 1\nid: {}\ntrigger: [{{event: '*'}}]\nsteps:\n  - uses: {}\n    with: {}\n"
WORKFLOWS = {name: HEAD.format(name, action, params) for name, action, params in (
    ("told", "meta.notify.webhook", '{url: "${{ secrets.address }}", text: hello, '
                                    'secret: "${{ secrets.signing }}"}'),
    ("refused", "meta.notify.webhook",
     '{url: "https://a.example/${{ date(now, secrets.signing) }}", text: hello}'),
    ("sent", "route.send", "{to: ana, text: answer, instance: webhook}"),
    ("asked", "route.agent.default", "{agent: helper}"))}


def texts(value):
    """Every text in plain data."""
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in texts(item)] if isinstance(value, list) else [value]


@pytest.fixture
def canaries(httpserver, client, caplog):
    """Every place filled through its own door, and a delivery that uses all of them."""
    caplog.set_level(logging.DEBUG)
    get_user_model().objects.create_superuser("boss", password=PASSWORD)
    client.post("/admin/login/", {"username": "boss", "password": "canary-wrong-password"})
    client.post("/admin/login/", {"username": "boss", "password": PASSWORD})
    httpserver.expect_request("/agent").respond_with_json({"text": f"it is {AGENT}"}, status=500)
    for path in ("/canary-path", "/out"):  # peers that repeat what they were told
        httpserver.expect_request(path).respond_with_json({"error": GIVEN, "id": "m1"}, status=400)
    httpserver.expect_request("/webhook/set/whatsapp_evolution").respond_with_json(
        {"message": GIVEN["whatsapp_evolution"]["api_key"]}, status=400)
    boss, url = client_of(), httpserver.url_for("").rstrip("/")
    answers = [post_json(boss, "/api/v1/instances/", {
        "slug": name, "name": name, "provider": name, "credentials": credentials,
        "settings": {"webhook": {"send_url": f"{url}/out"},
                     "whatsapp_evolution": {"base_url": url}}.get(name, {})})
        for name, credentials in GIVEN.items()]
    answers.append(post_json(boss, "/api/v1/agents/", {
        "slug": "helper", "name": "Helper", "kind": "http", "base_url": f"{url}/agent",
        "credentials": {"api_key": AGENT}}))
    for name, value in STORED.items():
        answers.append(post_json(boss, "/api/v1/secrets/", {
            "name": name, "value": f"{url}{value}" if name == "address" else value}))
    key = post_json(boss, "/api/v1/api-keys/", {"name": "program", "scopes": ["read"]})
    for name, text in WORKFLOWS.items():
        answers.append(post_json(boss, "/api/v1/workflows/import/", {"text": text}))
        answers.append(put_json(boss, "/api/v1/bindings/", {
            "workflow": name, "scope": {"global": True}}))
    assert {answer.status_code for answer in answers} <= {200, 201}, [
        answer.data for answer in answers]
    answers.append(post_json(boss, "/api/v1/instances/whatsapp_evolution/set-up/"))
    answers.append(boss.get("/api/v1/instances/whatsapp_evolution/health/"))
    for name in ("told", "refused"):
        answers.append(post_json(boss, f"/api/v1/workflows/{name}/dry-run/",
                                 {"event": "message.text"}))
    _deliver(client)
    work()
    secrets = [*texts(GIVEN), *STORED.values(), AGENT, PASSWORD, "canary-wrong-password",
               key.data["text"]]
    return boss, answers, secrets


def _deliver(client):
    """Tokens come in headers and, with Evolution, in the body."""
    client.post("/webhooks/webhook/webhook/", json.dumps({"a": 1}), headers={
        "x-webhook-token": TOKEN}, content_type="application/json")
    client.post("/webhooks/webhook/webhook/", b"{}", headers={
        "x-webhook-token": "canary-wrong-token"}, content_type="application/json")
    body = evolution_text("AC1") | {"apikey": GIVEN["whatsapp_evolution"]["api_key"]}
    client.post("/webhooks/whatsapp_evolution/whatsapp_evolution/", json.dumps(body), headers={
        "x-omni-secret": GIVEN["whatsapp_evolution"]["webhook_secret"]},
        content_type="application/json")


def found_in(text, secrets):
    return sorted(secret for secret in secrets if secret.lower() in text.lower())


def test_every_credential_of_every_provider_has_its_canary():
    assert {name: set(adapter.Credentials.model_fields)
            for name, adapter in library.adapters().items()} == {
        name: set(given) for name, given in GIVEN.items()}


def test_secrets_stand_in_no_table_log_or_answer(canaries, httpserver, caplog, capfd):
    _, answers, secrets = canaries

    asked = {request.path for request, _ in httpserver.log}
    assert {"/canary-path", "/out", "/agent"} <= asked
    assert found_in(everything_stored(), [*secrets, "canary-wrong-token"]) == []
    told = "".join(answer.content.decode() for answer in answers)
    assert found_in(told, secrets) == []
    said = "\n".join(str(vars(record)) for record in caplog.records
                     if record.name.startswith(("omni", "django")))
    assert found_in(said, [*secrets, "canary-wrong-token"]) == []


def test_secrets_stand_on_no_page_and_in_no_export(canaries, client):
    boss, _, secrets = canaries
    urls = [reverse("admin:index")]
    for name, model in MODELS.items():
        urls.append(reverse(f"admin:{name}_changelist"))
        urls += [reverse(f"admin:{name}_change", args=[row.pk])
                 for row in model._default_manager.all()[:20]]
    assert len(urls) > 40 and len(MODELS) == len(admin.site._registry)

    shown = {url: client.get(url).content.decode() for url in urls}
    lists = ("instances", "agents", "secrets", "api-keys", "events", "outbox", "event-actions",
             "raw-payloads", "runs", "workflows", "bindings", "workflows/told/export",
             "workflows/told/versions")
    shown |= {name: b"".join(boss.get(f"/api/v1/{name}/")).decode() for name in lists}
    assert {url: found for url, text in shown.items() if (found := found_in(text, secrets))} == {}
