"""The append-only log: one chain, and the database refuses to bend it."""

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from omni import audit
from omni.audit import AuditEntry

pytestmark = pytest.mark.django_db


def test_act_is_kept_with_its_facts():
    entry = audit.note("user:ana", "workflow.published", "greeter", version=3)

    kept = AuditEntry.objects.get()
    assert (kept.actor, kept.action, kept.target, kept.facts) == (
        "user:ana", "workflow.published", "greeter", {"version": 3})
    assert kept.hash == entry.hash != "" and kept.previous_hash == ""


def test_each_entry_carries_the_hash_of_the_one_before():
    entries = [audit.note("user:ana", "run.canceled", f"run:{number}") for number in range(4)]

    assert [entry.previous_hash for entry in entries] == [
        "", *(entry.hash for entry in entries[:-1])]
    assert len({entry.hash for entry in entries}) == 4


@pytest.mark.parametrize("change", [
    lambda: AuditEntry.objects.update(actor="somebody else"),
    lambda: AuditEntry.objects.all().delete()])
def test_database_refuses_to_change_or_delete(change):
    audit.note("user:ana", "run.canceled")

    with pytest.raises(DatabaseError, match="the audit log is append-only"), transaction.atomic():
        change()

    assert AuditEntry.objects.get().actor == "user:ana"


def test_act_that_is_rolled_back_was_never_noted():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.note("user:ana", "run.canceled")
        raise ZeroDivisionError

    assert not AuditEntry.objects.exists()


def test_long_names_are_cut():
    entry = audit.note("a" * 500, "run.canceled", "t" * 500)

    assert (len(entry.actor), len(entry.target)) == (190, 190)


@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain():
    def write():
        try:
            for _ in range(5):
                audit.note("user:ana", "run.canceled")
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    chain = list(AuditEntry.objects.order_by("id").values_list("previous_hash", "hash"))
    assert len(chain) == 20
    assert [previous for previous, _ in chain[1:]] == [hashed for _, hashed in chain[:-1]]
