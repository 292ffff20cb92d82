"""`python -m tests.benchmarks.matching`: what it costs to find out which workflows an event wakes.

500 workflows are switched on, for the kinds of event that exist; one event after the other is
matched against the table in memory. Process time, so that other work on the machine does not
count; database statements of a match are counted too. The rows are
made in a PostgreSQL of their own.
"""

import os
import subprocess
import sys
import time

import django
from django.db import connection

from tests.benchmarks import system
from tests.benchmarks.load import quantile

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")
LIMIT_MS = 1.0
WORKFLOWS = 500
EVENTS = 2_000
MOST_KINDS = 50
_WHERES = (
    "event.direction == 'inbound' and event.text == 'order {0}'",
    "event.direction == 'inbound' and not event.from_me and contains(event.text, 'topic {0}')",
    "event.text.lower().startswith('menu {0}') and event.source == 'live'",
    "event.contact_handle in inputs.people and event.text",
    "event.from_me and event.text == 'stop {0}'",
    "words(event.text, 'help', 'agent', 'human {0}') and not event.is_forwarded",
    "matches(event.text, '^order [0-9]{{4,8}} {0}$') and not event.auto_generated",
    "event.id % 500 == {0} or event.text == 'everything'",
)
_WORKFLOW = """\
omni: 1
id: flow-{0}
priority: {1}
{2}
inputs: {{people: {{type: handles, default: ["+5511{0}", "+5512{0}"]}}}}
trigger:
  - event: {3}
    where: {4}
steps: [{{set: {{number: {0}}}}}]
"""


def workflows() -> list[str]:
    """The documents: most name one kind of event, some a whole family, some with a claim."""
    from connections.envelope import KINDS

    kinds = list(KINDS)[:MOST_KINDS]
    return [_WORKFLOW.format(
        number, number % 900, "claim: reply" if number % 4 == 0 else "",
        "message.*" if number % 10 == 0 else kinds[number * 7 % len(kinds)],
        _WHERES[number % len(_WHERES)].format(number)) for number in range(WORKFLOWS)]


def measure() -> tuple[list[float], int, int]:
    """Milliseconds of process time of each match, shortest first; most asked; statements."""
    from django.test.utils import CaptureQueriesContext

    from connections.envelope import KINDS
    from registry.engine.route import matching
    from tests.factories import make_event, make_instance, switch_on

    instance = make_instance("bench")
    for text in workflows():
        switch_on(text)
    kinds = ["message.text"] * 3 + list(KINDS)[:MOST_KINDS]  # text is what comes most
    events = [make_event(instance, event_type=kinds[number % len(kinds)],
                         text=f"order {number * 37}") for number in range(len(kinds))]
    table = matching.table()
    most = max(len(matching.match(event, table).considered) for event in events)
    times = []
    with CaptureQueriesContext(connection) as statements:
        for number in range(EVENTS):
            event = events[number % len(events)]
            start = time.process_time()
            matching.match(event, table)
            times.append((time.process_time() - start) * 1000)
    return sorted(times), most, len(statements)


def main() -> None:
    """Print one line; `--here` measures with DATABASE_URL, otherwise a server is started first."""
    if "--here" not in sys.argv:
        with system.database() as environment:
            system.prepare(environment)
            subprocess.run([sys.executable, "-m", "tests.benchmarks.matching", "--here"],
                           env=environment, check=True)
        return
    django.setup()
    milliseconds, asked, statements = measure()
    p50, p99 = quantile(milliseconds, 0.5), quantile(milliseconds, 0.99)
    print(f"{WORKFLOWS} workflows, at most {asked} asked of one event: p50 {p50:.3f} ms, "
          f"p99 {p99:.3f} ms, limit {LIMIT_MS} ms: {'ok' if p99 < LIMIT_MS else 'TOO SLOW'}; "
          f"{statements} statements")


if __name__ == "__main__":
    main()
