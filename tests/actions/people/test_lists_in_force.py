"""Contact lists are read when one is changed, and of the entries only those of that list."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from actions.models import ContactList, ContactListEntry
from actions.people import access_rules, contact_lists, lists_in_force
from connections.models import Instance
from omni.config import revision
from tests.factories import make_instance

pytestmark = pytest.mark.django_db(transaction=True)
ANA, BOB = "+351911000001", "+351922000002"


@pytest.fixture
def shop(settings) -> Instance:
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    shop = make_instance()
    for name, purpose, place in (("friends", "label", None), ("blocked", "block", None),
                                 ("vip", "allow", shop)):
        make_list(name, purpose, place, ANA)
    return shop


def make_list(name, purpose, instance, *patterns):
    made = ContactList.objects.create(name=name, purpose=purpose, instance=instance)
    ContactListEntry.objects.bulk_create(
        ContactListEntry(contact_list=made, pattern=pattern) for pattern in patterns)
    return made


def verdict(shop, handle=ANA):
    rules = contact_lists.rules_in_force(shop.pk, purposes=("allow", "block"))
    names = access_rules.names_of([handle])
    return {purpose: [rule.pattern for rule in found.fitting(names)]
            for purpose, found in rules.items()}


def tables_read(asked):
    return [name for name in ("omni_config_revision", "omni_contact_lists",
                              "WHERE contact_list_id") for one in asked if name in one["sql"]]


def test_hundred_look_ups_cost_no_statement(shop):
    revision.read()
    verdict(shop), contact_lists.holding([ANA], shop.pk)

    with CaptureQueriesContext(connection) as asked:
        for _ in range(100):
            assert verdict(shop) == {"allow": [ANA], "block": [ANA]}
            assert contact_lists.holding([ANA, BOB], shop.pk) == ["blocked", "friends", "vip"]
    assert len(asked) == 0


def test_entry_that_is_added_counts_and_no_other_list_is_read_again(shop):
    revision.read()
    verdict(shop), contact_lists.holding([ANA], shop.pk)
    ContactListEntry.objects.create(contact_list=ContactList.objects.get(name="blocked"),
                                    pattern=BOB)
    revision.read()
    with CaptureQueriesContext(connection) as asked:
        found = verdict(shop, BOB)

    assert found == {"allow": [], "block": [BOB]}
    assert tables_read(asked) == ["omni_contact_lists"] * 2 + ["WHERE contact_list_id"]


@pytest.mark.parametrize("change", [
    lambda: ContactListEntry.objects.filter(contact_list__name="blocked").delete(),
    lambda: ContactListEntry.objects.filter(contact_list__name="blocked").update(pattern=BOB),
    lambda: ContactList.objects.filter(name="blocked").update(enabled=False),
    lambda: ContactList.objects.filter(name="blocked").update(purpose="label"),
    lambda: ContactList.objects.filter(name="blocked").delete()])
def test_change_of_a_list_counts_once_it_was_heard_of(shop, change):
    before = verdict(shop)
    change()
    revision.read()

    assert before["block"] == [ANA] and not verdict(shop).get("block")


def test_change_that_is_taken_back_counts_too(shop):
    entry = ContactListEntry.objects.filter(contact_list__name="blocked")
    found = []
    for pattern in (ANA, BOB, ANA):
        entry.update(pattern=pattern)
        revision.read()
        found.append(verdict(shop)["block"])

    assert found == [[ANA], [], [ANA]]


def test_list_of_another_instance_does_not_count(shop):
    desk = make_instance("desk")

    assert verdict(desk) == {"block": [ANA]}
    assert contact_lists.holding([ANA], desk.pk) == ["blocked", "friends"]


def test_lists_beyond_the_room_there_is_are_read_again(shop, monkeypatch):
    monkeypatch.setattr(lists_in_force, "MOST_BYTES", 1)

    assert [verdict(shop) for _ in range(3)] == [{"allow": [ANA], "block": [ANA]}] * 3
    assert len(lists_in_force._entries._kept) == 1
