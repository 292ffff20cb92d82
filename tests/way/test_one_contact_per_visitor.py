"""Somebody who writes in a web chat is one contact with one handle, also after the upgrade."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection, transaction

from connections.providers.webchat import visitors
from events.models import Contact, Conversation, Event, Handle
from omni.management.commands import doctor
from tests.factories import make_event, make_instance

SECRET = "a long random text"
pytestmark = pytest.mark.django_db(transaction=True)
join_pairs = import_module("events.migrations.0007_one_contact_per_visitor").join_pairs


def test_visitor_is_one_contact_with_one_handle(client):
    desk = make_instance("desk", "webchat", credentials={"secret": SECRET})
    token = visitors.issue(slug="desk", secret=SECRET)
    frame = {"type": "message", "id": "1", "visitor": token.partition(".")[0], "name": "Ana",
             "text": "hello"}

    answer = client.post("/webhooks/webchat/desk/", frame, content_type="application/json",
                         headers={visitors.TOKEN_HEADER: token})

    assert answer.status_code == 202, answer.content
    event, handle = Event.objects.get(), Handle.objects.get()
    assert (handle.scope, list(handle.instances.all())) == (str(desk.pk), [desk])
    assert event.actor == handle and event.contact == handle.contact == Contact.objects.get()
    assert doctor.check_handles().status == "ok"


def pair(instance, value="v_1", **fields):
    """(actor, counterpart) as they were stored before."""
    found = []
    for scope in ("", str(instance.pk)):
        contact = Contact.objects.create(name="Ana", **fields)
        handle = Handle.objects.create(provider="webchat", kind="id", value=value, scope=scope,
                                       contact=contact)
        handle.instances.add(instance)
        found.append(contact)
    return found


def upgrade():
    with transaction.atomic(), connection.schema_editor() as editor:
        join_pairs(apps, editor)


def test_stored_pair_becomes_one_and_keeps_what_people_said_about_both():
    desk = make_instance("desk", "webchat")
    actor, counterpart = pair(desk)
    Contact.objects.filter(pk=actor.pk).update(labels=["vip"], attributes={"city": "Faro"})
    Contact.objects.filter(pk=counterpart.pk).update(labels=["eu"])
    place = Conversation.objects.create(instance=desk, ref="v_1", contact=actor)
    event = make_event(desk, actor=actor.handles.get(), contact=counterpart)
    before = doctor.check_handles().status

    upgrade()

    handle = Handle.objects.get()
    counterpart.refresh_from_db()
    actor.refresh_from_db()
    assert (handle.scope, handle.contact) == ("", counterpart)
    assert (counterpart.labels, counterpart.attributes) == (["eu", "vip"], {"city": "Faro"})
    assert actor.merged_into == counterpart
    event.refresh_from_db()
    place.refresh_from_db()
    assert (event.actor, event.contact, place.contact) == (handle, counterpart, counterpart)
    assert (before, doctor.check_handles().status) == ("wrong", "ok")


def test_person_somebody_joined_by_hand_stays_joined():
    desk = make_instance("desk", "webchat")
    actor, counterpart = pair(desk)
    Handle.objects.create(provider="whatsapp_evolution", kind="phone", value="+351", contact=actor)

    upgrade()

    assert set(actor.handles.values_list("provider", flat=True)) == {
        "webchat", "whatsapp_evolution"}
    counterpart.refresh_from_db()
    assert counterpart.merged_into == actor


def test_upgrade_leaves_other_people_alone_and_may_run_again():
    desk = make_instance("desk", "webchat")
    pair(desk)
    other = Contact.objects.create(name="Rui")
    Handle.objects.create(provider="webhook", kind="id", value="v_1", scope="7", contact=other)

    upgrade()
    upgrade()

    assert Handle.objects.filter(contact=other).count() == 1
    assert Handle.objects.filter(provider="webchat").count() == 1
