"""A trial writes nothing, and holds no transaction open while it asks something outside."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from actions.base import done
from events.models import Event
from registry.trials import backtest, trial
from tests.factories import NOON, make_event, make_instance

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = """\
omni: 1
id: tried
trigger: [{event: message.text}]
steps:
  - {id: ask, uses: custom.look, with: {say: "${{ event.text }}"}}
"""


def session_seen_from_outside():
    """The state of this thread's session in the database, as another session sees it."""
    parameters = {name: value for name, value in connection.get_connection_params().items()
                  if name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**parameters) as other:
        return other.execute("SELECT state, backend_xmin IS NULL FROM pg_stat_activity "
                             "WHERE pid = %s",
                             [connection.connection.info.backend_pid]).fetchone()


@pytest.mark.parametrize("verb", ["dry run", "back-test"])
def test_no_transaction_is_open_while_a_step_asks_outside(probe, verb):
    event = make_event(make_instance(), text="Ana", received_at=NOON)
    seen = []
    probe.answers = [lambda event, context: seen.append(session_seen_from_outside()) or done()]

    if verb == "dry run":
        trial.try_out(TEXT, event)
    else:
        backtest.backtest(TEXT, since=NOON, until=NOON + timedelta(1), run=True)

    assert seen == [("idle", True)]


def test_write_of_a_step_is_refused_and_the_session_may_write_afterwards(probe):
    event = make_event(make_instance(), text="Ana")
    probe.answers = [lambda event, context: Event.objects.update(text="changed") and done()]

    found = trial.try_out(TEXT, event)

    assert [(step["status"], step["code"]) for step in found.path] == [("failed", "would_write")]
    event.refresh_from_db()
    assert event.text == "Ana"
    assert Event.objects.update(text="later") == 1


def test_session_may_write_again_after_a_trial_that_broke(probe):
    event = make_event(make_instance(), text="Ana")
    probe.answers = [KeyboardInterrupt()]

    with pytest.raises(KeyboardInterrupt):
        trial.try_out(TEXT, event)

    assert Event.objects.update(text="later") == 1


def test_pages_of_a_backtest_give_every_event_once_in_order(probe, monkeypatch):
    monkeypatch.setattr(backtest, "_PAGE", 2)
    shop = make_instance()
    for second in (3, 1, 1, 1, 2, 5, 4):
        make_event(shop, received_at=NOON + timedelta(seconds=second))

    report = backtest.backtest(TEXT, since=NOON, until=NOON + timedelta(1))

    expected = Event.objects.order_by("received_at", "id").values_list("pk", flat=True)
    assert report.examples["matched"] == list(expected)
