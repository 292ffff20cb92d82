"""Every write of the configuration raises its number, however it is written."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from actions.models import Agent, ContactList, ContactListEntry
from connections.models import Instance, Secret
from omni.config import revision
from registry.engine.work import modes
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import bindings, drafts, publishing
from tests.factories import GREETER, make_instance, make_webhook, switch_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def rows() -> None:
    """One row of each kind."""
    workflow = switch_on()
    Binding.objects.filter(workflow=workflow).update(version=workflow.latest())
    shop = make_webhook()
    Agent.objects.create(slug="helper", name="Helper")
    ContactList.objects.create(name="vip", instance=shop).entries.create(pattern="+3511")
    Secret.objects.create(name="token", value="x")
    ContactList.objects.create(name="others").entries.create(pattern="+3512")


def raises(write: Callable[[], Any]) -> bool:
    before = revision.read()
    write()
    return revision.read() > before


def sql(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


ROWS = {
    "omni_instances": "slug", "omni_agents": "name", "omni_contact_lists": "label",
    "omni_contact_list_entries": "pattern", "omni_workflows": "slug", "omni_bindings": "priority"}


@pytest.mark.parametrize("write", [
    lambda: make_instance("desk"),
    lambda: Instance.objects.bulk_create([Instance(slug="desk", provider="webhook", name="D")]),
    lambda: Instance.objects.update(enabled=False),
    lambda: Instance.objects.update(archived_at=timezone.now()),
    lambda: Instance.objects.get().save(),  # encrypts anew
    lambda: Agent.objects.create(slug="other", name="Other"),
    lambda: Agent.objects.update(enabled=False),
    lambda: Agent.objects.all().delete(),
    lambda: ContactList.objects.create(name="new"),
    lambda: ContactList.objects.update(purpose="block"),
    lambda: ContactListEntry.objects.bulk_create([ContactListEntry(
        contact_list=ContactList.objects.first(), pattern="+1")]),
    lambda: ContactListEntry.objects.filter(pattern="+3511").update(pattern="+4911"),
    lambda: ContactListEntry.objects.all().delete(),
    lambda: ContactList.objects.all().delete(),  # with its entries
    lambda: Secret.objects.create(name="other", value="x"),
    lambda: Secret.objects.update(value="y"),
    lambda: Secret.objects.all().delete(),
    lambda: bindings.bind(Workflow.objects.get(), scope="global", priority=3, actor="test"),
    lambda: bindings.unbind(Binding.objects.get(), actor="test"),
    lambda: Binding.objects.update(enabled=False),
    lambda: Binding.objects.update(inputs={"a": 1}),
    lambda: publishing.publish_text(GREETER.replace("seen", "met"), actor="test"),
    lambda: publishing.archive(Workflow.objects.get(), actor="test"),
    lambda: modes.set_mode(Workflow.objects.get(), "paused", actor="test"),
    lambda: Workflow.objects.update(mode="draining"),
    lambda: WorkflowVersion.objects.update(published_at=timezone.now()),
    *(lambda table=table: sql(f"TRUNCATE {table} CASCADE") for table in ROWS),
    *(lambda table=table, name=name: sql(f"UPDATE {table} SET {name} = '7'")
      for table, name in ROWS.items() if table not in ("omni_contact_list_entries",)),
    lambda: sql("DELETE FROM omni_contact_list_entries WHERE pattern = '+3511'"),
    lambda: sql("INSERT INTO omni_contact_list_entries (contact_list_id, pattern, note) "
                "SELECT id, '7', '' FROM omni_contact_lists"),
])
def test_write_raises_the_number(write):
    assert raises(write)


@pytest.mark.parametrize("write", [
    lambda: drafts.save_draft(GREETER.replace("seen", "met"), actor="test"),
    lambda: drafts.save_draft(GREETER.replace("greeter", "new"), actor="test"),
    lambda: Workflow.objects.update(name="Other", pins={"a": 1}, updated_at=timezone.now()),
    lambda: Workflow.objects.get().save(),
    lambda: Agent.objects.get().save(update_fields=["name", "updated_at"]),
    lambda: ContactList.objects.first().save(),
    lambda: Binding.objects.get().save(),
    lambda: modes.set_mode(Workflow.objects.get(), "on", actor="test"),
    lambda: sql("UPDATE omni_instances SET updated_at = now()"),
    lambda: WorkflowVersion.objects.update(note="why"),
])
def test_write_that_changes_nothing_that_runs_raises_nothing(write):
    assert not raises(write)


def test_write_that_is_rolled_back_raises_nothing():
    before = revision.read()
    with transaction.atomic():
        Instance.objects.update(enabled=False)
        inside = revision.read()
        transaction.set_rollback(True)

    assert (inside > before, revision.read()) == (True, before)
