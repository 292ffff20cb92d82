"""Keys over REST: shown once, revocable, and never further-reaching than their maker."""

import pytest

from connections.access import ApiKey
from tests.api_client import client_of, post_json
from tests.factories import make_instance, make_key

pytestmark = pytest.mark.django_db
KEYS = "/api/v1/api-keys/"


def test_key_is_shown_once_and_works():
    client = client_of("admin")

    made = post_json(client, KEYS, {"name": "backup", "scopes": ["read"]})

    text = made.data["text"]
    assert made.status_code == 201 and ApiKey.find(text).scopes == ["read"]
    assert text not in client.get(KEYS).content.decode()
    assert "text" not in client.get(f"{KEYS}{made.data['id']}/").data


def test_revoked_key_is_refused_at_once():
    client = client_of("admin")
    made = post_json(client, KEYS, {"name": "old", "scopes": ["read"]})

    revoked = post_json(client, f"{KEYS}{made.data['id']}/revoke/")

    assert revoked.data["revoked_at"]
    answer = client_of("read").get("/api/v1/events/", headers={"x-api-key": made.data["text"]})
    assert answer.status_code == 401


@pytest.mark.parametrize(("wish", "pointer"), [
    ({"scopes": ["root"]}, "/scopes"),
    ({"scopes": []}, "/scopes"),
    ({"days": 366}, "/days"),
    ({"days": 0}, "/days"),
    ({"instances": ["nowhere"]}, "/instances"),
    ({"is_superuser": True}, "/is_superuser"),
])
def test_wrong_wish_for_a_key_is_named(wish, pointer):
    answer = post_json(client_of("admin"), KEYS, {"name": "x", "scopes": ["read"], **wish})

    assert answer.status_code == 400
    assert pointer in {error["pointer"] for error in answer.data["errors"]}, answer.data


@pytest.mark.parametrize("scopes", [["read"], ["send"], ["workflows"], ["read", "send"]])
def test_only_the_admin_scope_makes_keys(scopes):
    answer = post_json(client_of(*scopes), KEYS, {"name": "x", "scopes": ["read"]})

    assert answer.status_code == 403


def test_maker_with_grants_cannot_reach_beyond_them():
    shop, other = make_instance("shop"), make_instance("other")
    client = client_of("admin", instances=[shop])

    everywhere = post_json(client, KEYS, {"name": "x", "scopes": ["read"]})
    foreign = post_json(client, KEYS, {"name": "x", "scopes": ["read"], "instances": ["other"]})
    missing = post_json(client, KEYS, {"name": "x", "scopes": ["read"], "instances": ["nobody"]})
    own = post_json(client, KEYS, {"name": "x", "scopes": ["read"], "instances": ["shop"]})

    assert everywhere.status_code == 403
    assert foreign.status_code == missing.status_code == 400
    assert foreign.data["errors"][0]["detail"].replace("other", "nobody") == (
        missing.data["errors"][0]["detail"])
    assert own.status_code == 201 and other.api_keys.count() == 0


def test_maker_with_grants_sees_only_keys_within_them():
    shop, other = make_instance("shop"), make_instance("other")
    make_key(["read"], name="everywhere")
    make_key(["read"], [shop, other], name="both")
    make_key(["read"], [shop], name="mine")

    names = {row["name"] for row in client_of("admin", instances=[shop]).get(KEYS).data["results"]}

    assert names == {"mine", "test"}
