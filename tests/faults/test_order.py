"""What people wrote one after the other is begun one after the other."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories import SECRET, evolution_text
from tests.faults.system import SLUG, System, unique, until
from tests.faults.traffic import ENDED

pytestmark = pytest.mark.faults
SENDERS = 4
MESSAGES = 720
OF_ONE_PERSON = 6
_ENDED = """
SELECT count(*) FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
WHERE starts_with(e.provider_message_id, %s) AND r.state = ANY(%s)
"""
_OVERTAKEN = """
SELECT provider_message_id FROM (
    SELECT e.provider_message_id, r.started_at,
           lag(r.started_at) OVER (PARTITION BY e.conversation_ref ORDER BY e.id) AS before
    FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
    WHERE starts_with(e.provider_message_id, %s) AND e.direction = 'inbound') AS runs
WHERE started_at < before
"""


def send(system: System, tag: str, sender: int) -> None:
    """The messages of one sender, each as soon as the one before was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", system.web_port, timeout=30)
    for number in range(sender, MESSAGES, SENDERS):
        person = 8500 + sender + SENDERS * (number // (SENDERS * OF_ONE_PERSON))
        message_id = f"{tag}-{number:03}"
        connection.request("POST", f"/webhooks/whatsapp_evolution/{SLUG}/", json.dumps(
            evolution_text(message_id, message_id, chat=f"55119{person:08d}@s.whatsapp.net")),
            {"content-type": "application/json", "x-omni-secret": SECRET})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
    connection.close()


def test_runs_of_one_conversation_begin_in_the_order_of_its_messages(system: System):
    tag = unique("O")

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(lambda sender: send(system, tag, sender), range(SENDERS)))
    until(lambda: system.rows(_ENDED, tag, list(ENDED)) == [(MESSAGES,)], seconds=120,
          what="every run has ended")

    assert system.rows(_OVERTAKEN, tag) == []
