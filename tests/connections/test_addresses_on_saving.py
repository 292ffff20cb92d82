"""An address is kept as it is meant: without the blanks it was pasted with."""

import json

import pytest
from django.urls import reverse

from actions.models import Agent
from connections.models import Instance
from tests.admin_world import sign_in
from tests.api_client import client_of, post_json
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
BLANK = [("webhook", "send_url", {"token": "a-good-long-token"}),
         ("whatsapp_evolution", "base_url", {"webhook_secret": "a-good-long-secret"})]


@pytest.mark.parametrize(("provider", "setting", "credentials"), BLANK)
def test_api_keeps_an_address_without_its_blanks(provider, setting, credentials):
    boss = client_of()

    made = post_json(boss, "/api/v1/instances/", {
        "slug": "shop", "name": "Shop", "provider": provider, "credentials": credentials,
        "settings": {setting: " https://a.example/x \n"}})
    before = Instance.objects.get().settings[setting]
    changed = boss.patch("/api/v1/instances/shop/", {
        "settings": {setting: "\thttps://b.example/y "}, "credentials": credentials},
        format="json")

    assert (made.status_code, changed.status_code) == (201, 200), (made.data, changed.data)
    assert (before, Instance.objects.get().settings[setting]) == (
        "https://a.example/x", "https://b.example/y")


def test_admin_keeps_an_address_without_its_blanks():
    shop = make_instance("shop", settings={"verification": "header_token"},
                         credentials={"token": "a-good-long-token"})
    url = reverse("admin:connections_instance_change", args=[shop.pk])

    answer = sign_in().post(url, {
        "slug": "shop", "name": "Shop", "provider": "webhook", "enabled": "on", "labels": "",
        "agent": "", "people_group": "", "credentials": "", "settings": json.dumps(
            {"verification": "header_token", "send_url": " https://a.example/x "})})

    shop.refresh_from_db()
    assert answer.status_code == 302, answer.content
    assert shop.settings["send_url"] == "https://a.example/x"


def test_agent_keeps_its_address_without_blanks():
    post_json(client_of(), "/api/v1/agents/", {
        "slug": "helper", "name": "Helper", "kind": "http", "base_url": " https://a.example/x "})
    sign_in().post(reverse("admin:actions_agent_add"), {
        "slug": "other", "name": "Other", "kind": "http", "base_url": " https://b.example/y ",
        "settings": "{}", "credentials": "", "timeout": "60", "enabled": "on"})

    assert dict(Agent.objects.values_list("slug", "base_url")) == {
        "helper": "https://a.example/x", "other": "https://b.example/y"}
