"""Agents and contact lists over REST."""

import pytest

from actions.models import Agent, ContactList
from tests.api_client import client_of, post_json
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
AGENTS, LISTS = "/api/v1/agents/", "/api/v1/contact-lists/"
SECRET = {"api_key": "canary-0123456789"}


def test_credentials_of_an_agent_are_written_and_never_read():
    client = client_of("read", "workflows")

    made = post_json(client, AGENTS, {"slug": "helper", "name": "Helper", "kind": "openai",
                                      "base_url": "https://llm.example", "credentials": SECRET})

    assert made.status_code == 201, made.data
    assert made.data["credentials_set"] == ["api_key"]
    assert "canary" not in made.content.decode() + client.get(AGENTS).content.decode()
    assert Agent.objects.get().credentials == SECRET


def make_agent():
    return Agent.objects.create(slug="helper", name="Helper", base_url="https://llm.example",
                                credentials=SECRET)


def test_stored_credentials_are_not_given_to_another_address():
    make_agent()
    client = client_of("workflows")

    kept = client.patch(f"{AGENTS}helper/", {"base_url": "https://evil.example"}, format="json")
    given = client.patch(f"{AGENTS}helper/", {"base_url": "https://evil.example",
                                              "credentials": {}}, format="json")

    assert kept.status_code == 400 and kept.data["errors"][0]["pointer"] == "/credentials"
    assert given.status_code == 200 and given.data["credentials_set"] == []


@pytest.mark.parametrize("change", [{"slug": "other"}, {"timeout": 0}, {"timeout": 601},
                                    {"kind": "oracle"}, {"is_superuser": True}])
def test_wrong_field_of_an_agent_is_named(change):
    make_agent()

    answer = client_of("workflows").patch(f"{AGENTS}helper/", change, format="json")

    assert answer.status_code == 400
    assert answer.data["errors"][0]["pointer"] == f"/{next(iter(change))}"


def test_agent_that_answers_somewhere_is_not_deleted():
    make_agent()
    shop = make_instance("shop", agent="helper")
    client = client_of("workflows")

    used = client.delete(f"{AGENTS}helper/")
    shop.agent = "default"
    shop.save()
    free = client.delete(f"{AGENTS}helper/")

    assert (used.status_code, used.data["code"]) == (409, "agent_in_use")
    assert free.status_code == 204 and not Agent.objects.exists()


def test_entries_given_replace_all_of_a_list():
    make_instance("shop")
    client = client_of("read", "workflows")
    made = post_json(client, LISTS, {"name": "vip", "instance": "shop", "entries": [
        {"pattern": "+5511*", "note": "all of them"}, {"pattern": "ana@x.example"}]})

    changed = client.patch(f"{LISTS}{made.data['id']}/",
                           {"entries": [{"pattern": "+44*"}]}, format="json")
    renamed = client.patch(f"{LISTS}{made.data['id']}/", {"label": "gold"}, format="json")

    assert made.status_code == 201, made.data
    assert [row["pattern"] for row in changed.data["entries"]] == ["+44*"]
    assert renamed.data["entries"] == changed.data["entries"]
    assert client.get(LISTS).data["results"][0] == {
        key: value for key, value in renamed.data.items() if key != "entries"}


@pytest.mark.parametrize("instance", ["shop", None])
def test_name_of_a_list_is_taken_once_per_instance(instance):
    make_instance("shop")
    client = client_of("workflows")

    first, again = (post_json(client, LISTS, {"name": "vip", "instance": instance})
                    for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 400)
    assert again.data["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize("entries", [
    [{"pattern": "a"}, {"pattern": "a"}], [{"pattern": ""}], [{"pattern": "a", "id": 1}],
    [{"pattern": str(number)} for number in range(5001)], {"pattern": "a"},
])
def test_wrong_entries_are_refused_and_nothing_is_stored(entries):
    answer = post_json(client_of("workflows"), LISTS, {"name": "vip", "entries": entries})

    assert answer.status_code == 400 and not ContactList.objects.exists()


def test_key_with_grants_sees_own_and_global_lists_and_changes_its_own():
    shop, desk = make_instance("shop"), make_instance("desk")
    own = ContactList.objects.create(name="own", instance=shop)
    everywhere = ContactList.objects.create(name="everywhere")
    foreign = ContactList.objects.create(name="foreign", instance=desk)
    client = client_of("read", "workflows", instances=[shop])

    def disable(row):
        return client.patch(f"{LISTS}{row.pk}/", {"enabled": False}, format="json").status_code

    assert {row["name"] for row in client.get(LISTS).data["results"]} == {"own", "everywhere"}
    assert [disable(row) for row in (own, everywhere, foreign)] == [200, 403, 404]
    assert client.patch(f"{LISTS}{own.pk}/", {"instance": None},
                        format="json").status_code == 403
    assert post_json(client, LISTS, {"name": "x", "instance": "desk"}).status_code == 400
