"""A secret nobody may read does not follow an address that somebody moves."""

import json

import pytest
from django.urls import reverse

from actions.models import Agent
from connections import library
from connections.moved import address_fault, need_again
from tests.admin_world import CANARY, sign_in
from tests.api_client import client_of, post_json
from tests.factories import make_instance

OLD, NEW = "https://old.example", "https://new.example"
ACCOUNTS = pytest.mark.parametrize(("provider", "setting", "secret", "other"), [
    ("whatsapp_evolution", "base_url", "api_key", {"webhook_secret": None}),
    ("whatsapp_evolution", "evolution_instance", "webhook_secret", {}),
    ("webhook", "send_url", "send_secret", {})])
KEY = {"api_key": "k-secret", "webhook_secret": CANARY,
       "send_secret": "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"}


def account(provider, setting, secret):
    secrets = {secret: KEY[secret]}
    if provider == "webhook":
        secrets["token"] = CANARY
    elif setting == "base_url":
        secrets["webhook_secret"] = CANARY
    return make_instance("shop", provider, settings={setting: OLD}, credentials=secrets)


def form(instance, **fields):
    return {"name": instance.name, "enabled": "on", "agent": instance.agent, "labels": "[]",
            "settings": json.dumps(instance.settings), "credentials": "", **fields}


@pytest.mark.parametrize(("before", "after", "stored", "given", "missing"), [
    (OLD, NEW, {"key": "s"}, [], {"url": ["key"]}),
    (OLD, NEW, {"key": "s"}, ["key"], {}),
    (OLD, NEW, {"key": ""}, [], {}),
    (OLD, NEW, {"other": "s"}, [], {}),
    (OLD, OLD + "/", {"key": "s"}, [], {}),
    (OLD, "http://old.example", {"key": "s"}, [], {"url": ["key"]}),
    (OLD, OLD + "/b", {"key": "s"}, [], {"url": ["key"]}),
    (None, NEW, {"key": "s"}, [], {"url": ["key"]}),
    (OLD, "", {"key": "s"}, [], {}),
])
def test_moved_address_asks_for_what_is_sent_there(before, after, stored, given, missing):
    assert need_again({"url": ("key",)}, before={"url": before}, after={"url": after},
                      stored=stored, given=given) == missing


def test_every_address_an_adapter_names_is_a_setting_and_its_secrets_exist():
    for adapter in library.adapters().values():
        for setting, secrets in adapter.addresses.items():
            assert setting in adapter.Settings.model_fields, adapter.name
            assert set(secrets) <= set(adapter.Credentials.model_fields), adapter.name


def test_every_setting_that_reads_like_an_address_is_named_as_one():
    for adapter in library.adapters().values():
        reads_so = {name for name in adapter.Settings.model_fields
                    if name.endswith(("url", "host", "server", "endpoint"))}
        assert reads_so <= set(adapter.addresses), adapter.name


@ACCOUNTS
@pytest.mark.django_db
def test_api_moves_an_address_only_with_its_secret(provider, setting, secret, other):
    instance = account(provider, setting, secret)
    client = client_of("admin", instances=[instance])
    url = "/api/v1/instances/shop/"

    refused = client.patch(url, {"settings": {setting: NEW}}, format="json")
    instance.refresh_from_db()
    kept = instance.settings
    moved = client.patch(url, {"settings": {setting: NEW},
                               "credentials": {secret: KEY[secret], **other}}, format="json")

    assert (refused.status_code, moved.status_code) == (400, 200), moved.data
    assert refused.data["errors"][0]["pointer"] == "/credentials"
    assert secret in refused.data["errors"][0]["detail"] and kept == {setting: OLD}


@ACCOUNTS
@pytest.mark.django_db
def test_api_does_not_move_an_address_by_way_of_an_empty_one(provider, setting, secret, other):
    instance = account(provider, setting, secret)
    client = client_of("admin", instances=[instance])
    url = "/api/v1/instances/shop/"

    client.patch(url, {"settings": {setting: None}}, format="json")
    answer = client.patch(url, {"settings": {setting: NEW}}, format="json")

    assert answer.status_code == 400


@ACCOUNTS
@pytest.mark.django_db
def test_admin_moves_an_address_only_with_its_secret(provider, setting, secret, other):
    instance = account(provider, setting, secret)
    page = reverse("admin:connections_instance_change", args=[instance.pk])
    moved, boss = json.dumps({setting: NEW}), sign_in()

    refused = boss.post(page, form(instance, settings=moved))
    instance.refresh_from_db()
    kept = instance.settings
    taken = boss.post(page, form(
        instance, settings=moved, credentials=json.dumps({secret: KEY[secret]}),
        clear_credentials=list(other)))

    assert (refused.status_code, taken.status_code) == (200, 302)
    assert f"give {secret}" in refused.content.decode() and kept == {setting: OLD}


@pytest.mark.django_db
def test_admin_moves_an_agent_only_with_its_key():
    agent = Agent.objects.create(slug="helper", name="Helper", kind="http", base_url=OLD,
                                 credentials={"api_key": CANARY})
    page = reverse("admin:actions_agent_change", args=[agent.pk])
    fields = {"slug": "helper", "name": "Helper", "kind": "http", "enabled": "on", "base_url": NEW,
              "settings": "{}", "timeout": "30", "credentials": ""}
    boss = sign_in()

    refused = boss.post(page, fields)
    agent.refresh_from_db()
    kept = agent.base_url
    taken = boss.post(page, {**fields, "clear_credentials": ["api_key"]})

    agent.refresh_from_db()
    assert (refused.status_code, kept) == (200, OLD)
    assert (taken.status_code, agent.base_url, agent.credentials) == (302, NEW, {})


@pytest.mark.parametrize(("address", "is_wrong"), [
    ("https://ana:pass@old.example", True), ("https://token@old.example/x", True),
    ("https://old.example/@ana", False), ("https://old.example?to=a@b", False), ("", False),
    (None, False), (" HTTPS://a:b@old.example ", True), (r"https:\\a:b@old.example", True)])
def test_address_that_holds_a_password_is_told(address, is_wrong):
    assert bool(address_fault(address)) is is_wrong


ODD = ["http://[abc", "https://[::1", "http://a\uff20b/x", "http://[x]/"]


@pytest.mark.parametrize("address", ODD)
def test_address_nobody_can_read_is_told_without_repeating_it(address):
    fault = address_fault(address)

    assert fault.startswith("is no address") and address not in fault


@pytest.mark.django_db
@pytest.mark.parametrize("address", ODD)
def test_address_nobody_can_read_is_a_fault_of_its_field(address):
    make_instance("shop", "whatsapp_evolution")
    make_instance("hook")
    agent = Agent.objects.create(slug="helper", name="Helper", kind="http")
    client = client_of("admin", "workflows")

    made = post_json(client, "/api/v1/instances/", {
        "slug": "new", "name": "New", "provider": "webhook", "settings": {"send_url": address}})
    changed = [client.patch(f"/api/v1/{path}/", body, format="json") for path, body in (
        ("instances/shop", {"settings": {"base_url": address}}),
        ("instances/hook", {"settings": {"send_url": address}}),
        ("agents/helper", {"base_url": address}))]

    assert [answer.status_code for answer in (made, *changed)] == [400] * 4
    assert all(place in answer.content.decode() for answer, place in zip((made, *changed), (
        "settings.send_url", "settings.base_url", "settings.send_url", "base_url"), strict=True))
    boss = sign_in()
    pages = [boss.post(reverse("admin:actions_agent_change", args=[agent.pk]), {
        "slug": "helper", "name": "Helper", "kind": "http", "base_url": address,
        "settings": "{}", "timeout": "30", "credentials": ""}),
        boss.post(reverse("admin:connections_instance_add"), {
            "slug": "form", "name": "Form", "provider": "webhook", "enabled": "on",
            "settings": json.dumps({"send_url": address}), "credentials": "", "labels": "",
            "people_group": ""})]
    assert [page.status_code for page in pages] == [200, 200]
    assert all("is no address" in page.content.decode() for page in pages)


@pytest.mark.django_db
def test_address_with_a_password_is_not_kept_where_it_is_shown():
    make_instance("shop", "whatsapp_evolution")
    make_instance("hook", credentials={"token": CANARY})
    agent = Agent.objects.create(slug="helper", name="Helper", kind="http")
    client, address = client_of("admin", "workflows"), f"https://ana:{CANARY}@old.example"

    answers = [
        client.patch("/api/v1/instances/shop/", {"settings": {"base_url": address}},
                     format="json"),
        client.patch("/api/v1/instances/hook/", {"settings": {"send_url": address}},
                     format="json"),
        client.patch("/api/v1/agents/helper/", {"base_url": address}, format="json"),
        sign_in().post(reverse("admin:actions_agent_change", args=[agent.pk]), {
            "slug": "helper", "name": "Helper", "kind": "http", "base_url": address,
            "settings": "{}", "timeout": "30", "credentials": ""})]

    assert [answer.status_code for answer in answers] == [400, 400, 400, 200]
    assert CANARY not in "".join(answer.content.decode() for answer in answers[:3])
    agent.refresh_from_db()
    assert agent.base_url == ""
