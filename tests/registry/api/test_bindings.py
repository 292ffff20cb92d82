"""Bindings over REST: where a workflow is switched on, and who may say so."""

import pytest

from registry.models import Binding
from tests.api_client import client_of, put_json
from tests.factories import make_instance, make_workflow

pytestmark = pytest.mark.django_db
BINDINGS = "/api/v1/bindings/"
TEXT = """\
omni: 1
id: greet
trigger:
  - event: message.text
steps:
  - stop: done
"""


@pytest.mark.parametrize("scope", [{"instance": "shop"}, {"provider": "webhook"},
                                   {"global": True}])
def test_binding_is_put_twice_and_stored_once(scope):
    make_instance("shop")
    make_workflow(TEXT)
    client = client_of("read", "workflows")

    first = put_json(client, BINDINGS, {"workflow": "greet", "scope": scope, "version": 1})
    again = put_json(client, BINDINGS, {"workflow": "greet", "scope": scope, "enabled": False,
                                        "priority": 10})

    assert first.status_code == again.status_code == 200, first.data
    assert first.data["scope"] == scope and first.data["version"] == 1
    binding = Binding.objects.get()
    assert (binding.enabled, binding.priority, binding.version.number) == (False, 10, 1)
    assert client.get(BINDINGS).data["results"] == [again.data]


@pytest.mark.parametrize(("change", "status"), [
    ({"scope": {}}, 400),
    ({"scope": {"global": False}}, 400),
    ({"scope": {"instance": "shop", "global": True}}, 400),
    ({"scope": {"galaxy": True}}, 400),
    ({"scope": {"provider": "webhok"}}, 400),
    ({"scope": {"instance": "nowhere"}}, 404),
    ({"workflow": "nothing"}, 404),
    ({"version": 9}, 400),
    ({"version": 10 ** 23}, 400),
    ({"inputs": {"nothing": 1}}, 400),
    ({"priority": 1000}, 400),
    ({"approved": True}, 400),
])
def test_wrong_binding_is_refused(change, status):
    make_instance("shop")
    make_workflow(TEXT)

    answer = put_json(client_of("workflows"), BINDINGS,
                      {"workflow": "greet", "scope": {"global": True}, **change})

    assert answer.status_code == status, answer.data
    assert not Binding.objects.exists()


def test_key_with_grants_binds_on_its_own_instances_only():
    shop = make_instance("shop")
    make_instance("desk")
    make_workflow(TEXT)
    client = client_of("read", "workflows", instances=[shop])

    def bind(scope):
        return put_json(client, BINDINGS, {"workflow": "greet", "scope": scope})

    foreign, missing = bind({"instance": "desk"}), bind({"instance": "nowhere"})
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json()["detail"].replace("desk", "nowhere") == missing.json()["detail"]
    assert bind({"global": True}).status_code == bind({"provider": "webhook"}).status_code == 403
    assert bind({"instance": "shop"}).status_code == 200


def test_binding_switched_off_keeps_what_is_not_named():
    make_workflow(TEXT.replace("trigger:", "inputs: {word: {type: text}}\ntrigger:"))
    client, place = client_of("read", "workflows"), {"workflow": "greet", "scope": {"global": True}}
    put_json(client, BINDINGS, {**place, "inputs": {"word": "hi"}, "priority": 10, "version": 1})

    put_json(client, BINDINGS, {**place, "enabled": False})
    off = Binding.objects.get()
    put_json(client, BINDINGS, {**place, "priority": None, "version": None})
    named = Binding.objects.get()

    assert (off.enabled, off.inputs, off.priority, off.version.number) == (
        False, {"word": "hi"}, 10, 1)
    assert (named.enabled, named.priority, named.version) == (False, None, None)
