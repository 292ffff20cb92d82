"""How a request proves who it is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.access import ApiKey
from connections.rest.authentication import principal
from tests.factories import make_key

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/"


@pytest.mark.parametrize("headers", [
    {"x-api-key": "{key}"}, {"authorization": "Bearer {key}"}, {"authorization": "bearer  {key} "}])
def test_key_in_a_header_is_a_proof(client, headers):
    key = make_key(["read"])

    answer = client.get(EVENTS, headers={name: value.format(key=key)
                                         for name, value in headers.items()})

    assert answer.status_code == 200


@pytest.mark.parametrize("headers", [
    {}, {"x-api-key": "omni_12345678_wrong"}, {"x-api-key": "\xe9"}, {"x-api-key": "omni_1"},
    {"authorization": "Bearer"}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a"}])
def test_request_without_a_proof_is_refused(client, headers):
    make_key(["read"])

    assert client.get(EVENTS, headers=headers).status_code == 401


def test_key_in_the_address_is_no_proof(client):
    key = make_key(["read"])

    assert client.get(f"{EVENTS}?x-api-key={key}&api_key={key}").status_code == 401


@pytest.mark.parametrize(("scopes", "status"), [(["read"], 200), (["send"], 403)])
def test_scope_of_the_key_decides(client, scopes, status):
    answer = client.get(EVENTS, headers={"x-api-key": make_key(scopes)})

    assert answer.status_code == status


def test_last_use_is_written_at_most_once_a_minute(client):
    key = make_key(["read"])
    client.get(EVENTS, headers={"x-api-key": key})
    first = ApiKey.objects.get().last_used_at
    client.get(EVENTS, headers={"x-api-key": key})
    second = ApiKey.objects.get().last_used_at
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    client.get(EVENTS, headers={"x-api-key": key})

    assert first == second is not None
    assert timezone.now() - ApiKey.objects.get().last_used_at < timedelta(minutes=1)


def test_person_who_signed_in_is_their_own_principal(rf, django_user_model):
    request = rf.get(EVENTS)
    request.user = django_user_model.objects.create_superuser("ana", password="long enough one")

    who = principal(request)

    assert (who.kind, who.name, who.instance_ids) == ("user", "user:ana", None)
    assert principal(request) is who


@pytest.mark.parametrize("headers", [
    {"x-api-key": "omni_12345678_wrong"}, {"authorization": "Bearer wrong"}])
def test_wrong_key_is_refused_also_from_somebody_who_signed_in(client, admin_user, headers):
    client.force_login(admin_user)

    assert client.get(EVENTS).status_code == 200
    assert client.get(EVENTS, headers=headers).status_code == 401
