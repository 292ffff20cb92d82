"""Two contacts are one person: who follows whom, what of both stays, and the way back."""

import pytest

from connections.envelope import Handle
from events.models import Contact, Event
from events.people import same_person
from events.store import ingest
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from tests.factories import make_draft, make_instance, make_unit

pytestmark = pytest.mark.django_db
PHONE, LID = Handle("phone", "+351922000002"), Handle("lid", "200000000000002", "shop")


@pytest.fixture
def shop():
    return make_instance("shop")


def arrive(shop, *people, **fields):
    """One batch of messages, one per list of handles."""
    ingest.persist([make_unit(shop, make_draft(actor_handles=list(handles), **fields))
                    for handles in people])


@pytest.fixture
def two(shop):
    """Contacts of the phone and of the LID, the older one first."""
    arrive(shop, [PHONE])
    arrive(shop, [LID], sender_name="Ana Lima")
    return list(Contact.objects.order_by("id"))


def join(shop, *contacts):
    return [(found.kept, found.merged) for found in same_person.join(
        [contact.pk for contact in contacts], instance_id=shop.pk)]


def test_merge_moves_the_handles_and_separate_gives_them_back(shop):
    arrive(shop, [PHONE], [LID])
    kept, other = Contact.objects.order_by("id")
    moved = list(other.handles.values_list("pk", flat=True))

    same_person.merge(other, kept, actor="user:ana")
    together = kept.handles.count(), Contact.objects.get(pk=other.pk).merged_into_id
    same_person.separate(other, handles=moved, actor="user:ana")

    assert together == (2, kept.pk)
    assert kept.handles.count() == other.handles.count() == 1
    assert Contact.objects.get(pk=other.pk).merged_into_id is None
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "contact.merged", "contact.separated"]


def test_message_after_a_merge_goes_to_the_kept_contact(shop):
    arrive(shop, [PHONE], [LID])
    kept, other = Contact.objects.order_by("id")
    same_person.merge(other, kept, actor="user:ana")

    arrive(shop, [LID])

    assert Event.objects.latest("id").contact_id == kept.pk


def test_contact_merged_into_itself_stays_as_it_is(shop):
    arrive(shop, [PHONE])
    ana = Contact.objects.get()

    same_person.merge(ana, ana, actor="user:ana")

    assert Contact.objects.get().merged_into_id is None and not AuditEntry.objects.exists()


def test_contacts_merged_by_hand_leave_no_chain_and_may_be_parted_again(shop):
    arrive(shop, *([Handle("id", str(number))] for number in range(3)))
    first, second, third = Contact.objects.order_by("id")

    same_person.merge(third, second, actor="user:ana")
    same_person.merge(second, first, actor="user:ana")
    same_person.separate(second, actor="user:ana")

    assert list(Contact.objects.order_by("id").values_list("merged_into", flat=True)) == [
        None, None, first.pk]
    assert [row.handles.count() for row in (first, second, third)] == [2, 1, 0]


def test_contacts_an_event_names_together_follow_the_oldest(shop, two):
    older, younger = two
    handles = list(younger.handles.values_list("pk", flat=True))

    [found] = same_person.join([younger.pk, older.pk], instance_id=shop.pk)

    assert (found.kept, found.merged, found.handles) == (older.pk, younger.pk, handles)
    assert set(older.handles.values_list("linked_by", flat=True)) == {"sender", "merge"}
    assert not AuditEntry.objects.exists()  # who joins says so when the event is stored


def test_join_is_told_by_an_event_that_names_both_and_why(shop, two):
    [found] = same_person.join([row.pk for row in two], instance_id=shop.pk)

    draft = found.event({"dedup_key": "m:3", "event": 3})

    assert (draft.event_type, draft.direction) == (same_person.MERGED, "internal")
    assert draft.content == {"kept": found.kept, "merged": found.merged,
                             "because": {"dedup_key": "m:3", "event": 3}}
    assert draft.dedup_key == f"{same_person.MERGED}:{found.merged}:{found.kept}:m:3"


def test_those_who_are_one_already_are_not_joined_again(shop, two):
    assert join(shop, *two) == [(two[0].pk, two[1].pk)]
    assert join(shop, *two) == join(shop, two[1]) == join(shop) == []


def test_two_whom_other_accounts_know_apart_are_left_apart(shop, two):
    desk = make_instance("desk")
    arrive(desk, [PHONE], [LID])

    assert join(shop, *two) == []


@pytest.mark.parametrize("known", [PHONE, LID])
def test_one_whom_another_account_knows_is_joined_once(shop, two, known):
    desk = make_instance("desk")
    arrive(desk, [known], [Handle("email", "ana@example.org")])
    mail = Contact.objects.latest("id")

    assert join(shop, *two, mail) == [(two[0].pk, two[1].pk)]


def test_those_a_person_separated_are_left_apart_until_a_person_says_otherwise(shop, two):
    older, younger = two
    same_person.merge(younger, older, actor="user:ana")
    same_person.separate(younger, actor="user:ana")
    by_event = join(shop, *two)

    same_person.merge(younger, older, actor="user:ana")

    assert by_event == [] and Contact.objects.get(pk=younger.pk).merged_into_id == older.pk
    assert list(Contact.objects.values_list("kept_apart", flat=True)) == [[], []]


@pytest.mark.parametrize(("names", "by_hand", "kept"), [
    (("Ana", "Ana Lima"), (False, False), ("Ana", False)),
    (("+351922000002", "Ana Lima"), (False, False), ("Ana Lima", False)),
    (("Ana", "Dr. Lima"), (False, True), ("Dr. Lima", True)),
    (("Ana", ""), (False, True), ("Ana", False)),
    (("Dr. Lima", "Ana"), (True, False), ("Dr. Lima", True))])
def test_name_that_says_most_stays(two, names, by_hand, kept):
    for row, name, typed in zip(two, names, by_hand, strict=True):
        Contact.objects.filter(pk=row.pk).update(name=name, name_by_hand=typed)

    same_person.merge(two[1], two[0], actor="user:ana")

    row = Contact.objects.get(pk=two[0].pk)
    assert (row.name, row.name_by_hand) == kept


def test_labels_of_both_stay_and_attributes_of_the_older_win(two):
    older, younger = two
    Contact.objects.filter(pk=older.pk).update(labels=["vip"], attributes={"city": "Porto"})
    Contact.objects.filter(pk=younger.pk).update(
        labels=["partner", "vip"], attributes={"city": "Faro", "lang": "pt"})

    same_person.merge(younger, older, actor="user:ana")

    older.refresh_from_db()
    assert older.labels == ["vip", "partner"]
    assert older.attributes == {"city": "Porto", "lang": "pt"}


def test_contacts_of_two_people_groups_are_never_one(two):
    Contact.objects.filter(pk=two[1].pk).update(people_group="clinic")
    two[1].refresh_from_db()

    with pytest.raises(InvalidInput) as caught:
        same_person.merge(two[1], two[0], actor="user:ana")

    assert caught.value.code == "other_group" and not AuditEntry.objects.exists()


def test_separate_gives_back_the_handles_the_contact_had(two):
    older, younger = two
    same_person.merge(younger, older, actor="user:ana")

    same_person.separate(younger, actor="user:ana")

    assert [row.handles.get().kind for row in (older, younger)] == ["phone", "lid"]
    assert younger.handles.get().linked_by == "person"
