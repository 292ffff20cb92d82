"""A provider that delivers the same message over and over in the same moment is heard once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.system import System, unique, until
from tests.faults.traffic import Entry, ledger, sends

pytestmark = pytest.mark.faults


def test_message_posted_fifty_times_at_once_is_one_event_one_run_one_send(system: System):
    message_id = unique("S")

    with ThreadPoolExecutor(50) as threads:
        statuses = Counter(threads.map(lambda _: system.post(message_id), range(50)))
    until(lambda: ledger(system, message_id)[message_id].ended, seconds=40,
          what="the run has ended")

    assert statuses == {202: 1, 200: 49}
    assert ledger(system, message_id) == {
        message_id: Entry(events=1, runs=["done"], outbox=["succeeded"])}
    assert sends(system, message_id)[message_id] == 1
    assert system.rows("SELECT sum(deliveries) FROM omni_raw_payloads WHERE "
                       "position(%s::bytea in body) > 0", message_id.encode()) == [(50,)]
