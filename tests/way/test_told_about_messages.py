"""What servers tell about messages: counts that are nobody's own, edits nobody can read."""

import pytest

from events.models import Event
from events.store import state
from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.work import queue
from registry.models import Run
from tests.factories import ANA, evolution_text, make_evolution, post_delivery, switch_on

pytestmark = [pytest.mark.django_db, pytest.mark.peers]
ON_VOTES = """\
omni: 1
id: on-votes
trigger: [{event: poll.updated, where: not event.from_me}]
steps:
  - set: {options: "${{ len(event.content.tally) }}"}
"""


def work():
    while routing.route():
        pass
    while claims := queue.claim("test", limit=10):
        for claim in claims:
            runner.advance(claim)


def test_new_count_of_our_own_poll_wakes_a_workflow_that_leaves_out_our_own_acts(client):
    shop = make_evolution()
    switch_on(ON_VOTES)

    post_delivery(client, shop, {
        "event": "messages.update", "instance": "shop", "date_time": "2026-03-02T09:15:00.000Z",
        "data": {"keyId": "POLL1", "remoteJid": ANA, "fromMe": True, "pollUpdates": [
            {"name": "Friday", "voters": [ANA]}, {"name": "Monday", "voters": []}]}})
    work()

    event = Event.objects.get()
    assert (event.event_type, event.direction, event.from_me, event.provider_actor_ref) == (
        "poll.updated", "internal", False, "")
    assert Run.objects.get().state == "done"


def test_edit_that_came_encrypted_is_an_edit_and_the_message_keeps_its_text(client):
    shop = make_evolution()
    post_delivery(client, shop, evolution_text("AC1", "at nine"))

    post_delivery(client, shop, evolution_text("AC2", message={"secretEncryptedMessage": {
        "targetMessageKey": {"remoteJid": ANA, "fromMe": False, "id": "AC1"},
        "encPayload": "AQ==", "secretEncType": 2}}, messageType="secretEncryptedMessage"))
    work()

    edit, row = Event.objects.latest("id"), state.of(shop.pk, "AC1")
    assert (edit.event_type, edit.target_message_id, edit.text) == ("message.edited", "AC1", None)
    assert (row.text, row.edit_count, row.is_text_hidden()) == ("at nine", 1, True)
