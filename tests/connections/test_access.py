"""Keys, grants, and the one scoped queryset."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from connections.access import SYSTEM, ApiKey, InstanceGrant, Principal, principal_of
from connections.models import Instance
from events.models import Event
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db


def test_issued_key_is_found_by_its_text_and_stored_without_it():
    key, text = ApiKey.issue("backup", scopes=["read"])

    assert ApiKey.find(text) == key
    secret = text.split("_", 2)[2]
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    assert all(secret not in str(value) for value in row.values())


@pytest.mark.parametrize("change", [
    lambda text: text[:-1], lambda text: text + "x", lambda text: text.upper(), lambda _: "",
    lambda _: "omni_", lambda _: "omni_12345678_", lambda _: "omni_12345678_\u0101",
    lambda _: "nonsense"])
def test_other_text_finds_no_key(change):
    _, text = ApiKey.issue("backup", scopes=["read"])

    assert ApiKey.find(change(text)) is None


@pytest.mark.parametrize("change", [
    {"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}])
def test_key_that_was_revoked_or_expired_is_not_found(change):
    key, text = ApiKey.issue("backup", scopes=["read"])
    ApiKey.objects.filter(pk=key.pk).update(**change)

    assert ApiKey.find(text) is None


@pytest.mark.parametrize(("days", "most"), [(10, 10), (10_000, 365)])
def test_key_lives_a_year_at_most(days, most):
    key, _ = ApiKey.issue("backup", scopes=["read"], days=days)

    assert timedelta(days=most - 1) < key.expires_at - timezone.now() <= timedelta(days=most)


def test_unknown_scope_is_refused():
    with pytest.raises(ValueError, match="unknown scopes .*root"):
        ApiKey.issue("backup", scopes=["root"])


def test_key_of_one_instance_sees_that_one_only():
    shop, desk = make_instance(), make_instance("desk")
    key, _ = ApiKey.issue("backup", scopes=["read"], instances=[shop])

    who = key.principal()

    assert who.sees(shop.pk) and not who.sees(desk.pk) and not who.sees(None)
    assert list(Instance.objects.visible_to(who)) == [shop]


def test_key_whose_only_instance_is_gone_sees_nothing():
    shop = make_instance()
    make_instance("desk")
    key, _ = ApiKey.issue("backup", scopes=["read"], instances=[shop])
    shop.delete()

    assert not Instance.objects.visible_to(ApiKey.objects.get(pk=key.pk).principal()).exists()


@pytest.mark.parametrize(("scopes", "asked", "may"), [
    (["read"], "read", True), (["read"], "send", False), (["admin"], "send", True), ([], "read",
                                                                                      False)])
def test_scope_says_what_one_may(scopes, asked, may):
    who = Principal("key", "key:a", frozenset(scopes), None)

    assert who.may(asked) is may


def test_system_may_and_sees_everything():
    make_event(make_instance())

    assert SYSTEM.may("admin") and Event.objects.visible_to(SYSTEM).count() == 1


def test_rows_of_foreign_instances_do_not_exist():
    shop, desk = make_instance(), make_instance("desk")
    mine, _ = make_event(shop), make_event(desk)
    who = Principal("key", "key:a", frozenset(["read"]), frozenset([shop.pk]))

    assert list(Event.objects.visible_to(who)) == [mine]


def user(name="ana", **fields):
    return get_user_model().objects.create_user(name, password="a long enough one", **fields)


def test_person_without_a_grant_sees_and_may_nothing():
    who = principal_of(user())

    assert who.scopes == frozenset() and who.instance_ids == frozenset()
    assert principal_of(AnonymousUser()).instance_ids == frozenset()


def test_superuser_sees_and_may_everything():
    who = principal_of(user(is_superuser=True))

    assert who.may("admin") and who.instance_ids is None


def test_grants_name_instances_or_all_of_them():
    shop, ana = make_instance(), user()
    InstanceGrant.objects.create(user=ana, instance=shop, scopes=["read"])
    one = principal_of(ana)
    InstanceGrant.objects.create(user=ana, instance=None, scopes=["read"])

    assert one.instance_ids == frozenset([shop.pk]) and principal_of(ana).instance_ids is None


def test_wider_grant_on_one_instance_never_widens_another():
    shop, desk, ana = make_instance(), make_instance("desk"), user()
    InstanceGrant.objects.create(user=ana, instance=shop, scopes=["read", "send"])
    InstanceGrant.objects.create(user=ana, instance=desk, scopes=["read"])

    assert not principal_of(ana).may("send")
