"""Configured accounts: their address, their settings, and how they are found."""

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.utils import timezone

from connections import models
from connections.models import Instance, lookup
from omni.config import revision
from omni.errors import InvalidParams
from tests.factories import make_evolution, make_instance, make_webhook

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("slug", ["shop", "a", "0-9_z", "x" * 63])
def test_slug_of_an_address_is_accepted(slug):
    Instance(slug=slug, name="Shop", provider="webhook").clean()


@pytest.mark.parametrize("slug", ["", "Shop", "-a", "_a", "a b", "é", "shop\n", "x" * 64, "a/b"])
def test_slug_that_does_not_fit_an_address_is_refused(slug):
    with pytest.raises(ValidationError) as refused:
        Instance(slug=slug, name="Shop", provider="webhook").clean()

    assert "slug" in refused.value.message_dict


@pytest.mark.parametrize(("field", "value"), [("slug", "other"), ("provider", "webchat")])
def test_slug_and_provider_never_change(field, value):
    shop = make_webhook()
    setattr(shop, field, value)

    with pytest.raises(ValidationError) as refused:
        shop.clean()

    assert field in refused.value.message_dict


def test_unknown_provider_is_named():
    with pytest.raises(ValidationError, match="unknown provider 'webhok'; did you mean 'webhook'"):
        Instance(slug="shop", name="Shop", provider="webhok").clean()


def test_every_wrong_setting_is_named():
    shop = Instance(slug="shop", name="Shop", provider="webhook",
                    settings={"nonsense": 1, "dedup_minutes": -1}, credentials={"tokn": "canary"})

    with pytest.raises(InvalidParams) as refused:
        shop.account()

    assert set(refused.value.details) == {
        "settings.nonsense", "settings.dedup_minutes", "credentials.tokn"}
    assert "canary" not in str(refused.value)


def test_account_is_validated_data_of_the_adapter():
    account = make_evolution(base_url="http://evo.example/").account()

    assert (account.slug, account.provider) == ("shop", "whatsapp_evolution")
    assert account.settings.base_url == "http://evo.example"
    assert account.credentials.api_key == "k-secret"


@pytest.mark.parametrize(("fields", "is_on"), [
    ({}, True), ({"enabled": False}, False), ({"archived_at": timezone.now()}, False)])
def test_only_an_account_that_is_on_wakes_workflows(fields, is_on):
    assert make_instance(**fields).is_on is is_on


def test_account_is_found_by_provider_and_slug():
    shop = make_webhook()

    assert lookup("webhook", "shop")[0] == shop
    assert lookup("webchat", "shop") == lookup("webhook", "nobody") == (None, None)


@pytest.mark.django_db(transaction=True)
def test_found_account_is_kept_for_a_while(settings, django_assert_num_queries):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    make_webhook()
    lookup("webhook", "shop")

    with django_assert_num_queries(0):
        lookup("webhook", "shop")
        assert models.is_cached("webhook", "shop")
    assert not models.is_cached("webhook", "nobody")


def test_change_is_seen_at_once_in_its_own_process(settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    shop = make_webhook()
    lookup("webhook", "shop")
    shop.enabled = False
    shop.save()

    assert not lookup("webhook", "shop")[0].enabled


def test_settings_that_no_longer_fit_leave_no_account():
    shop = make_webhook()
    Instance.objects.update(settings={"nonsense": 1})

    assert lookup("webhook", "shop") == (shop, None)


@pytest.mark.django_db(transaction=True)
def test_known_account_is_used_for_five_minutes_while_the_database_is_away(monkeypatch):
    make_webhook()
    now = [1000.0]
    monkeypatch.setattr(revision.time, "monotonic", lambda: now[0])
    lookup("webhook", "shop")

    def away():
        raise OperationalError("gone")

    monkeypatch.setattr(revision, "ask", away)
    now[0] += 299
    found = lookup("webhook", "shop")
    now[0] += 2

    assert found[0].slug == "shop"
    with pytest.raises(OperationalError):
        lookup("webhook", "shop")
