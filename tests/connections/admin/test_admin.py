import json

import pytest
from django.urls import reverse

from connections.access import ApiKey
from connections.models import Instance
from omni.audit import AuditEntry
from tests.admin_world import CANARY, make_world, sign_in
from tests.factories import make_instance

pytestmark = pytest.mark.django_db


def page(row, name="change", *more):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}",
                   args=[row.pk, *more])


def posted(instance, **fields):
    return {"name": instance.name, "enabled": "on", "agent": instance.agent,
            "settings": json.dumps(instance.settings), "labels": json.dumps(instance.labels),
            "credentials": "", **fields}


@pytest.fixture
def shop():
    return make_instance(settings={"verification": "header_token"},
                         credentials={"token": CANARY, "secret": "other"})


def test_empty_credentials_keep_what_is_stored(shop):
    answer = sign_in().post(page(shop), posted(shop, name="New name"))

    assert answer.status_code == 302
    shop.refresh_from_db()
    assert shop.name == "New name"
    assert shop.credentials == {"token": CANARY, "secret": "other"}


def test_given_credential_replaces_only_its_name(shop):
    sign_in().post(page(shop), posted(shop, credentials='{"token": "fresh-token"}'))

    shop.refresh_from_db()
    assert shop.credentials == {"token": "fresh-token", "secret": "other"}


def test_cleared_credential_is_gone(shop):
    sign_in().post(page(shop), posted(shop, clear_credentials=["secret"]))

    shop.refresh_from_db()
    assert shop.credentials == {"token": CANARY}


def test_page_names_the_keys_and_never_their_values(shop):
    text = sign_in().get(page(shop)).content.decode()

    assert "Set: secret, token" in text
    assert CANARY not in text


def test_refused_form_does_not_repeat_the_credentials(shop):
    answer = sign_in().post(page(shop), posted(
        shop, settings='{"verification": "sorcery"}', credentials=f'{{"token": "{CANARY}"}}'))

    assert answer.status_code == 200
    assert CANARY not in answer.content.decode()


def test_refused_settings_name_each_wrong_field(shop):
    text = sign_in().post(page(shop), posted(
        shop, settings='{"verification": "sorcery", "dedup_minutes": -1}')).content.decode()

    assert "settings.verification" in text and "settings.dedup_minutes" in text


def test_wrong_credential_names_are_shown_at_the_credentials(shop):
    answer = sign_in().post(page(shop), posted(shop, credentials='{"tokn": "x"}'))

    assert "credentials.tokn" in answer.content.decode()


def test_audit_log_holds_names_of_credentials_only(shop):
    sign_in().post(page(shop), posted(shop, credentials='{"token": "fresh-value"}'))

    facts = AuditEntry.objects.get(action="instance.changed").facts
    assert facts["credentials_set"] == ["token"]
    assert "fresh-value" not in json.dumps(facts)


def test_slug_and_provider_stay_after_creation(shop):
    sign_in().post(page(shop), posted(shop, slug="other", provider="webchat"))

    shop.refresh_from_db()
    assert (shop.slug, shop.provider) == ("shop", "webhook")


def test_new_instance_is_made_with_its_webhook_address(client):
    answer = sign_in().post(reverse("admin:connections_instance_add"), {
        "slug": "desk", "name": "Desk", "provider": "webhook", "enabled": "on", "agent": "default",
        "settings": "{}", "labels": "[]", "credentials": '{"token": "token-of-desk"}'}, follow=True)

    assert Instance.objects.get(slug="desk").credentials == {"token": "token-of-desk"}
    assert "/webhooks/webhook/desk/" in answer.content.decode()


def test_archive_asks_first_and_keeps_the_row(shop):
    client = sign_in()
    asked = client.get(page(shop, "do", "archive"))
    shop.refresh_from_db()
    before = shop.archived_at

    client.post(page(shop, "do", "archive"))

    shop.refresh_from_db()
    assert asked.status_code == 200 and before is None
    assert shop.archived_at is not None and not shop.enabled
    assert AuditEntry.objects.filter(action="instance.archived", target="shop").exists()


def test_instance_cannot_be_deleted(shop):
    answer = sign_in().post(reverse("admin:connections_instance_delete", args=[shop.pk]),
                            {"post": "yes"})

    assert answer.status_code == 403


def test_health_shows_the_state_the_provider_reports(shop):
    text = sign_in().post(page(shop, "do", "check_health")).content.decode()

    assert "unknown" in text and "no health call" in text


def test_setting_up_is_noted(shop):
    answer = sign_in().post(page(shop, "do", "set_up"))

    assert "/webhooks/webhook/shop/" in answer.content.decode()
    assert AuditEntry.objects.filter(action="instance.set_up").exists()


def test_text_of_a_new_key_is_shown_once():
    client = sign_in()
    answer = client.post(reverse("admin:connections_apikey_add"), {
        "name": "backup", "scopes": ["read", "send"], "days": 30, "instances": []}, follow=True)
    key = ApiKey.objects.get()
    text = answer.content.decode()
    shown = text[text.index(f"omni_{key.public_id}_"):].split("<")[0]

    again = client.get(page(key)).content.decode()

    assert ApiKey.find(shown) == key
    assert shown not in again and key.digest not in again


def test_revoked_key_opens_nothing_any_more():
    key, text = ApiKey.issue("backup", scopes=["read"])

    sign_in().post(page(key, "do", "revoke"))

    assert ApiKey.find(text) is None
    assert AuditEntry.objects.filter(action="key.revoked").exists()


def test_key_reaches_no_further_than_its_maker(shop):
    client = sign_in(grants=[(shop, ["admin"])], name="owner")

    answer = client.post(reverse("admin:connections_apikey_add"), {
        "name": "all", "scopes": ["read"], "days": 30})

    assert answer.status_code == 200
    assert not ApiKey.objects.exists()


def test_grants_of_a_person_are_noted(shop, django_user_model):
    client = sign_in()
    ana = django_user_model.objects.create_user("ana", is_staff=True)
    form = {"username": "ana", "is_active": "on", "is_staff": "on", "date_joined_0": "2026-01-01",
            "date_joined_1": "00:00:00", "instance_grants-TOTAL_FORMS": "1",
            "instance_grants-INITIAL_FORMS": "0", "instance_grants-0-instance": shop.pk,
            "instance_grants-0-scopes": ["read", "send"]}

    answer = client.post(page(ana), form)

    assert answer.status_code == 302
    assert ana.instance_grants.get().scopes == ["read", "send"]
    assert AuditEntry.objects.filter(action="grants.changed", target="user:ana").exists()


OWN_ROWS = ["instance", "event", "raw", "run", "unknown", "contact", "conversation"]
LISTS = ["connections_instance", "events_event", "events_rawpayload", "events_outboxmessage",
         "events_contact", "events_conversation", "registry_run", "registry_routingdecision"]


@pytest.mark.parametrize("name", LISTS)
def test_person_with_one_grant_lists_only_its_rows(name):
    mine, foreign = make_world("mine"), make_world("foreign")
    client = sign_in(grants=[(mine.instance, ["read"])], name="ana")

    found = client.get(reverse(f"admin:{name}_changelist"))

    rows = list(found.context["cl"].result_list)
    assert len(rows) == 1
    assert "foreign" not in found.content.decode()
    assert foreign.instance.pk != mine.instance.pk


@pytest.mark.parametrize("name", OWN_ROWS)
def test_page_of_a_foreign_row_does_not_exist(name):
    mine, foreign = make_world("mine"), make_world("foreign")
    client = sign_in(grants=[(mine.instance, ["read"])], name="ana")

    own = client.get(page(getattr(mine, name)))
    other = client.get(page(getattr(foreign, name)))

    assert own.status_code == 200
    assert other.status_code == 302 and other["location"] == reverse("admin:index")


def test_reader_changes_nothing():
    mine = make_world("mine")
    client = sign_in(grants=[(mine.instance, ["read"])], name="ana")

    answers = [client.post(page(mine.instance), posted(mine.instance)),
               client.post(page(mine.instance, "do", "archive")),
               client.post(page(mine.unknown, "do", "mark_sent")),
               client.post(page(mine.run, "do", "rerun")),
               client.post(page(mine.raw, "do", "store_replay")),
               client.get(reverse("admin:connections_apikey_changelist"))]

    assert [answer.status_code for answer in answers] == [403] * len(answers)


def test_choices_of_a_form_name_no_foreign_instance():
    mine = make_world("mine")
    make_world("foreign")
    client = sign_in(grants=[(mine.instance, ["admin", "workflows"])], name="ana")

    found = client.get(reverse("admin:autocomplete"), {
        "app_label": "connections", "model_name": "apikey", "field_name": "instances", "term": ""})

    assert [item["text"] for item in found.json()["results"]] == ["mine"]
