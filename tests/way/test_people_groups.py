"""Whose a person is: people of one account are nobody's elsewhere, unless accounts share them."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.urls import reverse

from actions.people import audiences
from connections.envelope import Handle
from connections.models import Instance
from events.models import Contact, Conversation, Event
from events.models import Handle as HandleRow
from events.people import known_by, same_person
from events.store import ingest
from omni.errors import InvalidInput
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from tests.admin_world import sign_in
from tests.api_client import client_of
from tests.factories import (
    evolution_text,
    make_draft,
    make_event,
    make_evolution,
    make_instance,
    make_unit,
    make_webhook,
    post_delivery,
    switch_on,
)

pytestmark = pytest.mark.django_db
MAPPING = {"event_type": "message.text", "sender": "from", "sender_name": "name", "text": "text",
           "id": "id"}
PHONE = Handle("phone", "+351922000002")
LABELLER = """\
omni: 1
id: labeller
trigger: [{event: message.text}]
steps:
  - id: label
    uses: persist.tagging
    with: {add_labels: [gold]}
"""


def hook(slug, **fields):
    settings = {"mapping": MAPPING, **fields.pop("settings", {})}
    instance = make_webhook(slug, **fields)
    Instance.objects.filter(pk=instance.pk).update(settings=settings)
    return Instance.objects.get(pk=instance.pk)


def write(client, instance, sender, name="Ana", number="1"):
    answer = post_delivery(client, instance, {"from": sender, "name": name, "text": "hello",
                                              "id": number})
    assert answer.status_code == 202, answer.content
    return Event.objects.filter(instance=instance).latest("pk")


def arrive(instance, key="", *handles, **fields):
    [stored] = ingest.persist([make_unit(instance, make_draft(
        key, actor_handles=list(handles or [PHONE]), **fields))])
    return Event.objects.get(pk=stored.event_ids[0])


def work():
    while routing.route() + len(claims := queue.claim("test", limit=10)):
        for claim in claims:
            runner.advance(claim)


@pytest.mark.parametrize("sender", ["42", "+351922000002", "ana@example.org"])
def test_whom_a_webhook_names_is_somebody_else_at_another_webhook(client, sender):
    shop, desk = hook("shop"), hook("desk")

    first, second = write(client, shop, sender), write(client, desk, sender, "Bo")

    assert first.contact_id != second.contact_id and first.actor_id != second.actor_id
    assert (first.contact.name, second.contact.name) == ("Ana", "Bo")


@pytest.mark.parametrize(("sender", "people"), [("42", 2), ("+351922000002", 1)])
def test_trusted_phone_is_one_person_at_all_trusted_webhooks_of_the_group(client, sender, people):
    trusted = {"trust_handles": True}
    shop, desk = hook("shop", settings=trusted), hook("desk", settings=trusted)
    other = hook("other", settings=trusted, people_group="else")

    events = [write(client, instance, sender) for instance in (shop, desk)]
    stranger = write(client, other, sender)

    assert len({event.contact_id for event in events}) == people
    assert stranger.contact_id not in {event.contact_id for event in events}


@pytest.mark.parametrize(("group", "people"), [("", 1), ("else", 2)])
def test_phone_of_two_accounts_is_one_person_inside_their_group_only(client, group, people):
    shop, desk = make_evolution("shop"), make_evolution("desk", people_group=group)
    switch_on(LABELLER, scope="instance", instance=shop)
    post_delivery(client, shop, evolution_text("A1"))
    work()

    post_delivery(client, desk, evolution_text("A2"))

    there = Event.objects.get(instance=desk).contact
    assert Contact.objects.count() == people
    assert there.people_group == group
    assert there.labels == (["gold"] if people == 1 else [])


def test_moved_account_meets_its_people_anew_and_the_old_ones_stay():
    shop, desk = make_instance("shop"), make_instance("desk")
    old = arrive(shop, "1").contact
    arrive(desk, "2")
    Contact.objects.filter(pk=old.pk).update(labels=["gold"])
    place = Conversation.objects.get(instance=shop)

    shop.people_group = "apart"
    shop.save()
    event = arrive(shop, "3")
    there = arrive(desk, "4")

    place.refresh_from_db()
    assert event.contact != old and event.contact.people_group == "apart"
    assert (event.contact.labels, place.contact) == ([], event.contact)
    assert there.contact == old and old.handles.count() == 1
    assert audiences.gather(instance=shop, labels=["gold"]).members == []


def test_contacts_of_two_groups_are_never_merged_by_hand():
    shop, desk = make_instance("shop"), make_instance("desk", people_group="else")

    with pytest.raises(InvalidInput, match="different people groups"):
        same_person.merge(arrive(shop).contact, arrive(desk).contact, actor="user:ana")


def known_at_two():
    """Ana, called Boss and written about at the desk: (contact, shop, desk)."""
    shop, desk = make_instance("shop"), make_instance("desk")
    person = arrive(desk, "1", sender_name="Boss").contact
    arrive(shop, "2", PHONE, sender_name="Ana")
    arrive(desk, "3", PHONE, Handle("lid", "77@lid", "desk"), sender_name="Boss")
    switch_on(LABELLER, scope="instance", instance=desk)
    work()
    person.refresh_from_db()
    known_by.write(person, instance_ids=[desk.pk], attributes={"city": "Faro"})
    return person, shop, desk


def test_limited_key_sees_of_a_contact_what_its_instances_know():
    person, shop, desk = known_at_two()
    own, other = (client_of("read", instances=[instance]) for instance in (shop, desk))
    address = f"/api/v1/contacts/{person.pk}/"

    mine, theirs, whole = (client.get(address).data for client in (
        own, other, client_of("read")))

    assert (mine["name"], mine["labels"], mine["attributes"]) == ("Ana", [], {})
    assert [handle["value"] for handle in mine["handles"]] == [PHONE.value]
    assert (theirs["name"], theirs["labels"], theirs["attributes"]) == (
        "Boss", ["gold"], {"city": "Faro"}) == (whole["name"], whole["labels"], whole["attributes"])
    assert own.get("/api/v1/contacts/").data["results"][0]["name"] == "Ana"


@pytest.mark.parametrize(("asked", "own", "others"), [
    ("label=gold", 0, 1), ("q=boss", 0, 1), ("handle=77@lid", 0, 1), ("q=ana", 1, 0),
    ("handle=%2B351922000002", 1, 1)])
def test_limited_key_finds_nobody_by_what_it_may_not_see(asked, own, others):
    _, shop, desk = known_at_two()

    found = [len(client_of("read", instances=[instance]).get(
        f"/api/v1/contacts/?{asked}").data["results"]) for instance in (shop, desk)]

    assert found == [own, others]


def test_limited_person_sees_and_changes_in_the_admin_what_their_instances_know():
    person, shop, desk = known_at_two()
    client = sign_in(grants=[(shop, ["read", "send"])])
    page = reverse("admin:events_contact_change", args=[person.pk])

    shown = "".join(client.get(address).content.decode() for address in (
        page, reverse("admin:events_contact_changelist"),
        reverse("admin:events_conversation_changelist")))
    answer = client.post(page, {"name": "Ana", "labels": "regular", "attributes": "{}",
                                "handles-TOTAL_FORMS": 0, "handles-INITIAL_FORMS": 0})

    person.refresh_from_db()
    assert "Ana" in shown
    assert [word for word in ("Boss", "gold", "Faro", "77@lid") if word in shown] == []
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert person.name == "Boss" and person.attributes == {"city": "Faro"}
    assert person.labels == ["gold", "regular"]
    assert person.known_by["labels"] == {"gold": [desk.pk], "regular": [shop.pk]}


def test_limited_person_merges_nobody_whom_another_account_knows():
    person, shop, _ = known_at_two()
    other = arrive(shop, "9", Handle("phone", "+351911000009")).contact
    client = sign_in(grants=[(shop, ["read", "send"])])

    client.post(reverse("admin:events_contact_do", args=[person.pk, "merge_into"]),
                {"answer": other.pk})

    person.refresh_from_db()
    assert person.merged_into is None


@pytest.mark.parametrize("wish", [{"people_group": "rich"}, {"settings": {"trust_handles": True}}])
def test_limited_key_cannot_make_an_account_share_the_people_of_others(wish):
    shop = hook("shop")
    limited = client_of("admin", instances=[shop])

    refused = limited.patch("/api/v1/instances/shop/", wish, format="json")
    allowed = client_of("admin").patch("/api/v1/instances/shop/", wish, format="json")

    assert (refused.status_code, allowed.status_code) == (403, 200), allowed.content
    assert limited.patch("/api/v1/instances/shop/", {"name": "Shop 2"},
                         format="json").status_code == 200


def upgrade(name, function):
    migration = import_module(f"events.migrations.{name}")
    with transaction.atomic(), connection.schema_editor() as editor:
        getattr(migration, function)(apps, editor)


def stored_before(*instances, value="42", provider="webhook", kind="id", **fields):
    """One contact whose handle, without a scope, was met at several instances."""
    person = Contact.objects.create(name="Ana", **fields)
    handle = HandleRow.objects.create(provider=provider, kind=kind, value=value, contact=person)
    for instance in instances:
        handle.instances.add(instance)
    return person, handle


def test_upgrade_gives_every_account_its_own_person_and_loses_nothing():
    shop, desk = make_instance("shop"), make_instance("desk")
    person, handle = stored_before(shop, desk, labels=["gold"], attributes={
        "city": "Faro", "agent_users": {"default": "u1"}})
    here, there = (make_event(instance, actor=handle, contact=person, sender_name=name)
                   for instance, name in ((shop, "Ana"), (desk, "Bo")))
    place = Conversation.objects.create(instance=desk, ref="42", contact=person)

    upgrade("0014_people_of_one_account", "split")

    for row in (person, handle, here, there, place):
        row.refresh_from_db()
    assert (here.contact, here.actor, handle.scope) == (person, handle, "shop")
    assert there.contact != person and there.actor.contact == there.contact == place.contact
    assert (there.actor.scope, there.contact.name) == ("desk", "Bo")
    assert [sorted(one.handles.values_list("instances__slug", flat=True)) for one in (
        person, there.contact)] == [["shop"], ["desk"]]
    assert person.labels == there.contact.labels == ["gold"]
    assert person.attributes == there.contact.attributes == {"city": "Faro"}


def test_upgrade_finds_a_person_again_under_the_name_they_had(client):
    shop = hook("shop")
    person, handle = stored_before(shop)

    upgrade("0014_people_of_one_account", "split")

    assert write(client, shop, "42").contact == person and HandleRow.objects.get() == handle


def test_upgrade_joins_a_name_that_was_stored_with_and_without_a_scope():
    shop, desk = make_instance("shop"), make_instance("desk")
    person, _ = stored_before(shop, desk)
    twin = Contact.objects.create(name="Ana")
    HandleRow.objects.create(provider="webhook", kind="id", value="42", scope="desk",
                             contact=twin).instances.add(desk)

    upgrade("0014_people_of_one_account", "split")

    twin.refresh_from_db()
    there = HandleRow.objects.get(scope="desk").contact
    assert twin.merged_into == there != person
    assert HandleRow.objects.get(scope="shop").contact == person and HandleRow.objects.count() == 2


def test_upgrade_tells_conversations_their_contact():
    shop = make_instance()
    ana, bo = Contact.objects.create(name="Ana"), Contact.objects.create(name="Bo")
    places = [Conversation.objects.create(instance=shop, ref=kind, kind=kind)
              for kind in ("direct", "group")]
    for place in places:
        make_event(shop, conversation=place, contact=ana)
        make_event(shop, conversation=place, contact=bo, relation="reacts_to")

    upgrade("0015_conversations_know_their_contact", "fill")

    for place in places:
        place.refresh_from_db()
    assert [place.contact for place in places] == [ana, None]


def test_upgrade_keeps_what_a_person_was_called_at_each_account():
    shop, desk = make_evolution("shop"), make_evolution("desk")
    person, handle = stored_before(shop, desk, value=PHONE.value, provider="whatsapp_evolution",
                                   kind="phone")
    for instance, name in ((shop, "Ana"), (desk, "Boss")):
        make_event(instance, actor=handle, contact=person, sender_name=name)

    upgrade("0014_people_of_one_account", "split")

    names = [client_of("read", instances=[instance]).get(
        f"/api/v1/contacts/{person.pk}/").data["name"] for instance in (shop, desk)]
    assert names == ["Ana", "Boss"] and Contact.objects.get() == person
