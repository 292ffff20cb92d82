"""Accounts that are remembered: no statement while nothing changes, no delay when it does."""

import time

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from connections.models import Instance, by_id, lookup, why_off
from connections.secrets.store import Secret, Vault
from omni.config import revision
from tests.factories import make_webhook

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(settings) -> Instance:
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    return make_webhook()


def test_hundred_look_ups_cost_no_statement(shop):
    lookup("webhook", "shop"), by_id(shop.pk)

    with CaptureQueriesContext(connection) as asked:
        for _ in range(100):
            lookup("webhook", "shop"), by_id(shop.pk), lookup("webchat", "nobody")
    assert len(asked) == 1  # that nobody is there is asked for once


def test_account_that_is_switched_off_elsewhere_sends_nothing_from_then_on(shop):
    before = why_off(shop.pk)
    Instance.objects.filter(pk=shop.pk).update(enabled=False)

    assert (before, why_off(shop.pk)) == (
        "", "nothing was sent: instance 'shop' is switched off; enable it first")


def test_asking_whether_it_may_send_costs_one_statement(shop):
    why_off(shop.pk)

    with CaptureQueriesContext(connection) as asked:
        why_off(shop.pk)
    assert len(asked) == 1


def test_account_that_was_saved_is_new_to_who_saved_it_before_the_commit(shop):
    by_id(shop.pk)
    with transaction.atomic():
        shop.name = "Other"
        shop.save()

        assert by_id(shop.pk).name == "Other"
    assert by_id(shop.pk).name == "Other"


def test_account_is_looked_up_anew_when_a_change_was_seen(shop):
    lookup("webhook", "shop")
    Instance.objects.filter(pk=shop.pk).update(name="Other")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {revision.NUMBER}")
        revision.seen(cursor.fetchone()[0], asked_at=time.monotonic())

    assert lookup("webhook", "shop")[0].name == by_id(shop.pk).name == "Other"


def test_secret_is_read_once_while_none_is_changed(shop):
    Secret.objects.create(name="token", value="one")
    found = [Vault(shop.pk)["token"]]
    with CaptureQueriesContext(connection) as asked:
        found += [Vault(shop.pk)["token"] for _ in range(100)]
    Secret.objects.create(name="token", instance=shop, value="two")
    revision.read()

    assert (set(found), len(asked)) == ({"one"}, 0)
    assert Vault(shop.pk)["token"] == "two"
