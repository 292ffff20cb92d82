"""API and socket for callers of one account: another account changes nothing they are told."""

import re

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import Client

from actions.models import ContactList, Task
from connections.access import SCOPES, SYSTEM, ApiKey
from connections.models import Secret
from events.live import feed as feed_module
from events.models import EventAction
from events.store.notify import EVENTS, send_now
from omni.urls_sockets import websocket_urlpatterns
from registry.models import Binding
from registry.trials import jobs
from tests.admin_world import make_surroundings, sign_in
from tests.api_client import client_of
from tests.factories import make_event, make_instance, make_key
from tests.omni.admin.test_permissions import FOREIGN, furnish
from tests.omni.test_api_permissions import ROUTES, address
from tests.sockets import Phone

OWN = [(b"host", b"localhost"), (b"origin", b"http://localhost")]


def of_world(world):
    """What addresses of one row are made of."""
    return {
        "instance": {"slug": world.instance.slug}, "workflow": {"slug": world.workflow.slug},
        "agent": {"slug": "helper"}, "event": {"pk": world.event.pk},
        "raw-payload": {"pk": world.raw.pk}, "run": {"pk": world.run.pk},
        "contact": {"pk": world.contact.pk}, "conversation": {"pk": world.conversation.pk},
        "outbox": {"pk": world.unknown.pk}, "catalog-provider": {"name": "webhook"},
        "catalog-action": {"id": "route.reply"},
        "backtest": {"number": jobs.queue("backtest", "{}", SYSTEM,
                                          workflow=world.workflow.slug)},
        "approval": {"pk": world.run.approvals.get().pk},
        "api-key": {"pk": ApiKey.objects.get(name=f"key of {world.instance.slug}").pk},
        **{name: {"pk": model.objects.filter(instance=world.instance).first().pk}
           for name, model in (("secret", Secret), ("task", Task), ("contact-list", ContactList),
                               ("binding", Binding), ("event-action", EventAction))}}


def readable(rows):
    """Every address that is read; one of a new kind of row needs a row in `of_world`."""
    return [address(name, rows) for name, method in ROUTES if method == "get"]


def said(client, url):
    """The answer, less the moment it was given."""
    return re.sub(rb'"since":"[^"]*"', b"", client.get(url).content)


@pytest.fixture
def key(db):
    make_surroundings()
    mine = furnish("mine")
    return mine, client_of(instances=[mine.instance])


@pytest.fixture
def session(db):
    make_surroundings()
    mine = furnish("mine")
    return mine, sign_in(grants=[(mine.instance, list(SCOPES))], name="ana")


@pytest.mark.parametrize("caller", ["key", "session"])
def test_another_account_changes_no_answer_of_the_api(request, caller):
    mine, client = request.getfixturevalue(caller)
    urls = readable(of_world(mine))
    before = {url: said(client, url) for url in urls}
    furnish(FOREIGN)
    after = {url: said(client, url) for url in urls}

    assert [url for url in urls if before[url] != after[url]] == []


@pytest.mark.parametrize("caller", ["key", "session"])
def test_no_answer_about_a_foreign_row_differs_from_a_missing_one(request, caller):
    _, client = request.getfixturevalue(caller)
    foreign = of_world(furnish(FOREIGN))

    named = [url for url in readable(foreign)
             if FOREIGN in client.get(url).content.decode().replace(url, "")]

    assert named == []


SOCKETS = {"ws/events/": "feed", "ws/chat/<slug:slug>/": "chat"}


def test_every_socket_is_known():
    """The feed is tried below; the chat is open to everybody, each to his own conversation."""
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == set(SOCKETS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("caller", ["key", "person"])
async def test_socket_tells_a_caller_of_one_account_of_no_other(caller):
    mine = await sync_to_async(make_instance)("mine")
    foreign = await sync_to_async(make_instance)(FOREIGN)
    headers = await sync_to_async(_headers)(caller, mine)
    phone = Phone("/ws/events/", headers)
    try:
        await phone.opened()
        await phone.say(type="subscribe", instance=FOREIGN)
        refused = await phone.heard("error")
        await sync_to_async(make_event)(foreign, text=f"hello from {FOREIGN}")
        own = await sync_to_async(make_event)(mine, text="hello")
        await sync_to_async(send_now)(EVENTS, [])
        frame = await phone.heard("feed")
    finally:
        await phone.hang_up()
        await feed_module.close()
        await sync_to_async(connections.close_all)()

    assert [row["id"] for row in frame["events"]] == [own.pk]
    assert FOREIGN not in str(frame) and "mine" not in str(refused)


def _headers(caller, instance):
    if caller == "key":
        return [(b"x-api-key", make_key(instances=[instance]).encode())]
    client: Client = sign_in(grants=[(instance, list(SCOPES))], name="ana")
    return [*OWN, (b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]
