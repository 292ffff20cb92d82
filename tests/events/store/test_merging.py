"""Merges under load and by hand: two workers at once, three rows, what is never merged."""

import threading
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection, transaction

from connections.envelope import Handle
from events.models import Contact, Conversation, ConversationAlias, Event
from events.people import conversations
from events.store import ingest, merging
from omni.errors import InvalidInput
from tests.factories import make_draft, make_instance, make_unit
from tests.statements_sent import counted
from tests.two_connections import Elsewhere

PHONE, LID, OTHER = "351922000002@s.whatsapp.net", "200000000000002@lid", "old-group@g.us"
PHONE_HANDLE, LID_HANDLE = Handle("phone", "+351922000002"), Handle("lid", LID, "shop")


def arrive(shop, ref, *aliases, handles=(), **fields):
    ingest.persist([make_unit(shop, make_draft(
        conversation_ref=ref, conversation_aliases=list(aliases), provider_actor_ref=ref,
        actor_handles=list(handles), **fields))])


@pytest.mark.django_db
def test_what_was_merged_into_the_younger_follows_it_to_the_oldest():
    shop = make_instance()
    for ref in (PHONE, LID, OTHER):
        arrive(shop, ref)
    arrive(shop, OTHER, LID)

    arrive(shop, LID, PHONE)

    kept = Conversation.objects.get(ref=PHONE)
    assert set(Conversation.objects.exclude(pk=kept.pk).values_list("merged_into", flat=True)) == {
        kept.pk}
    assert set(kept.aliases.values_list("ref", flat=True)) == {LID, OTHER}
    assert Event.objects.of_conversation(Conversation.objects.get(ref=OTHER).pk).count() == 7


@pytest.mark.django_db
def test_split_gives_back_one_row_with_the_names_it_had():
    shop = make_instance()
    arrive(shop, PHONE)
    arrive(shop, LID, OTHER)
    arrive(shop, PHONE, LID)
    younger = Conversation.objects.get(ref=LID)

    merging.split(younger, actor="user:ana")

    assert Conversation.objects.kept().count() == 2
    assert ConversationAlias.objects.get().ref == OTHER
    assert ConversationAlias.objects.get().conversation == younger
    with pytest.raises(InvalidInput, match="is not merged"):
        merging.split(younger, actor="user:ana")


@pytest.mark.django_db
def test_labels_and_tags_of_both_are_kept():
    shop = make_instance()
    arrive(shop, PHONE, handles=[PHONE_HANDLE], sender_name="")
    arrive(shop, LID, handles=[LID_HANDLE])
    for ref, word in ((PHONE, "vip"), (LID, "partner")):
        place = Conversation.objects.get(ref=ref)
        Conversation.objects.filter(pk=place.pk).update(tags=[word])
        Contact.objects.filter(pk=place.contact_id).update(labels=[word])

    arrive(shop, LID, PHONE, handles=[LID_HANDLE, PHONE_HANDLE], sender_name="")

    assert Conversation.objects.kept().get().tags == ["vip", "partner"]
    kept = Contact.objects.kept().get()
    assert (kept.labels, kept.name) == (["vip", "partner"], "Ana")


@pytest.mark.django_db
def test_what_one_account_says_does_not_make_two_people_of_another_one():
    shop, desk = make_instance(), make_instance("desk")
    mail = Handle("email", "ana@example.org")
    arrive(desk, "a", handles=[PHONE_HANDLE])
    arrive(desk, "b", handles=[mail])

    arrive(shop, "c", handles=[PHONE_HANDLE, mail])

    assert Contact.objects.kept().count() == 2


@pytest.mark.django_db
def test_person_known_here_only_does_not_make_two_people_of_another_account_one():
    """Nor does joining the first of them let the second one in."""
    shop, desk = make_instance(), make_instance("desk")
    mail = Handle("email", "ana@example.org")
    arrive(shop, LID, handles=[LID_HANDLE])
    arrive(desk, "a", handles=[PHONE_HANDLE])
    arrive(desk, "b", handles=[mail])

    arrive(shop, "c", handles=[LID_HANDLE, PHONE_HANDLE, mail])

    assert Contact.objects.kept().count() == 2


@pytest.mark.django_db
def test_chains_of_earlier_merges_are_shortened():
    first, second, third, fourth = (Contact.objects.create() for _ in range(4))
    for row, into in ((second, first), (third, second), (fourth, third)):
        Contact.objects.filter(pk=row.pk).update(merged_into=into)

    migration = import_module("events.migrations.0011_contacts_without_chains")
    migration.shorten(None, SimpleNamespace(connection=connection))

    assert set(Contact.objects.exclude(pk=first.pk).values_list("merged_into", flat=True)) == {
        first.pk}


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_hear_it_at_once_merge_once():
    shop = make_instance()
    arrive(shop, PHONE, handles=[PHONE_HANDLE])
    arrive(shop, LID, handles=[LID_HANDLE])
    start, errors = threading.Barrier(2), []

    def hear(number):
        try:
            start.wait(5)
            arrive(shop, LID, PHONE, handles=[LID_HANDLE, PHONE_HANDLE], dedup_key=f"m:{number}")
        except Exception as exc:  # shown by the assertion
            errors.append(exc)
        finally:
            connection.close()

    workers = [threading.Thread(target=hear, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)

    assert errors == []
    assert Conversation.objects.kept().get().ref == PHONE
    assert Contact.objects.kept().get().handles.count() == 2
    assert Event.objects.filter(event_type="system.conversation.merged").count() == 1
    assert Event.objects.filter(event_type="system.contact.merged").count() == 1


@pytest.mark.django_db(transaction=True)
def test_event_and_a_split_at_once_both_hold():
    shop = make_instance()
    arrive(shop, PHONE)
    arrive(shop, LID)
    arrive(shop, LID, PHONE)
    conversations.forget()
    start, errors = threading.Barrier(2), []

    def do(act):
        try:
            start.wait(5)
            act()
        except Exception as exc:  # shown by the assertion
            errors.append(exc)
        finally:
            connection.close()

    younger = Conversation.objects.get(ref=LID)
    workers = [threading.Thread(target=do, args=(act,)) for act in (
        lambda: merging.split(younger, actor="user:ana"),
        lambda: arrive(shop, LID, PHONE, dedup_key="m:late"))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)

    assert errors == [] and Event.objects.filter(dedup_key="m:late").exists()
    assert Conversation.objects.kept().count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_accounts_that_hear_it_at_once_make_one_person_once():
    shop, desk = make_instance(), make_instance("desk")
    both = [PHONE_HANDLE, Handle("email", "ana@example.org")]
    for account, handle in zip((shop, desk), both, strict=True):
        arrive(account, "a", handles=[handle])

    with transaction.atomic():
        arrive(shop, "b", handles=both)
        other = Elsewhere(lambda: arrive(desk, "b", handles=both))
        assert other.waits_for() == "advisory"
    other.gives()

    assert Event.objects.filter(event_type="system.contact.merged").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_split_at_once_the_second_is_told():
    shop = make_instance()
    arrive(shop, PHONE)
    arrive(shop, LID)
    arrive(shop, LID, PHONE)
    younger = Conversation.objects.get(ref=LID)

    with transaction.atomic():
        merging.split(younger, actor="user:ana")
        other = Elsewhere(lambda: merging.split(younger, actor="user:bo"))
        assert other.waits_for() == "advisory"

    with pytest.raises(InvalidInput, match="is not merged"):
        other.gives()


def statements_of(shop, ref, *aliases, handles=(), **fields):
    with counted() as sent:
        arrive(shop, ref, *aliases, handles=handles, **fields)
    return sent.statements


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("merged", [False, True])
def test_ordinary_message_costs_the_same_whether_its_names_were_merged(merged, settings):
    """One insert."""
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    shop, both = make_instance(), [LID_HANDLE, PHONE_HANDLE]
    arrive(shop, PHONE, handles=[PHONE_HANDLE])
    arrive(shop, LID, *([] if merged else [PHONE]), handles=[LID_HANDLE])
    arrive(shop, LID, PHONE, handles=both)

    assert statements_of(shop, LID, PHONE, handles=both) == 1
    assert statements_of(shop, PHONE, handles=[PHONE_HANDLE]) == 1
    assert statements_of(shop, LID, handles=[LID_HANDLE], relation="status_of",
                         target_message_id="M1") == 1
