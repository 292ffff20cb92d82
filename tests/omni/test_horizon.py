"""Up to which id a table may be read forward."""

import threading

import pytest
from django.db import connection, transaction

from actions.models import Agent, ContactList, Task
from connections.access import ApiKey
from events.models import Contact, Conversation, Event, EventAction, OutboxMessage, RawPayload
from omni import horizon
from registry.models import Approval, Run, Workflow

pytestmark = pytest.mark.django_db(transaction=True)
LISTED = (Event, RawPayload, EventAction, Conversation, Contact, OutboxMessage, Run, Approval,
          Workflow, Task, Agent, ContactList, ApiKey)


def draw(model):
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [model._meta.db_table])
        return cursor.fetchone()[0]


@pytest.mark.parametrize("model", LISTED)
def test_id_of_an_open_transaction_holds_the_horizon_below_it(model):
    known = draw(model)
    assert horizon.settled(model) == known
    drawn, let_go = [], threading.Event()
    has_drawn = threading.Event()

    def hold():
        try:
            with transaction.atomic():
                drawn.append(draw(model))
                has_drawn.set()
                let_go.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    has_drawn.wait(10)
    draw(model)
    during = horizon.settled(model)
    let_go.set()
    thread.join(10)

    assert during == known and horizon.settled(model) == drawn[0] + 1


def test_what_this_transaction_drew_does_not_hold_it_up():
    with transaction.atomic():
        assert draw(Event) == horizon.settled(Event)
