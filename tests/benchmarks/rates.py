"""What one machine does in a second, how soon, and for how much of the processor.

Sender and peer take their part of the same cores. Everything goes in at the front door.
"""

import time

import psycopg

from tests.benchmarks import processes, system
from tests.benchmarks.load import quantile
from tests.benchmarks.module import module
from tests.benchmarks.system import System

GUARDED = """
omni: 1
id: guarded
priority: 10
claim: reply
trigger: [{event: message.text, where: event.direction == 'inbound'}]
steps:
  - uses: guard.blocklist
  - {id: found, uses: transform.regex, with: {pattern: "(?P<number>[0-9]+)"}}
  - uses: route.agent.default
    with: {prompt: "${{ event.text }}", history: 0, typing: false}
"""
PURE = """
omni: 1
id: pure
priority: 10
claim: reply
trigger: [{event: message.text, where: event.direction == 'inbound'}]
steps:
""" + "".join(f'  - {{id: s{number}, uses: transform.regex, with: {{pattern: "{number}"}}}}\n'
              for number in range(5))
_STARTS = """
SELECT extract(epoch FROM r.started_at - e.received_at) * 1000 FROM omni_runs r
JOIN omni_events e ON e.id = r.event_id WHERE e.provider_message_id LIKE %s
  AND r.started_at IS NOT NULL
"""
_ENDED = """
SELECT count(*), extract(epoch FROM max(r.ended_at) - min(e.received_at))::float
FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
WHERE e.provider_message_id LIKE %s AND r.state = 'done'
"""
CONNECTIONS, UNDER_WAY = 32, 64
MOST_RUNS = 250  # for each second that is measured


def prepare(running: System) -> None:
    """The accounts of the workflows, and everything warm."""
    system.switch_on(running, "guarded", GUARDED, slug="guarded")
    system.switch_on(running, "pure", PURE, slug="pure")
    for slug in (system.SLUG, "guarded", "pure"):
        module(running.environment, "load", running.web_port, 8, 3, f"warm-{time.time_ns()}-",
               "--slug", slug, "--count", 60)
    system.until_quiet(running.url)


def at_twenty(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    """CPU of an answered message, and from webhook to outbound call, at 20 a second."""
    pids = processes.named(running.head, "omni_worker") + processes.postgres(running.url)
    before, started = processes.cpu_seconds(pids), time.monotonic()
    time.sleep(seconds / 2)
    idle = (processes.cpu_seconds(pids) - before) / (time.monotonic() - started)
    pids = processes.named(running.head, "omni_worker") + processes.postgres(running.url)
    before, started = processes.cpu_seconds(pids), time.monotonic()
    sent = module(running.environment, "load", running.web_port, 8, seconds, tag, "--rate", 20)
    system.until_quiet(running.url)
    took = time.monotonic() - started
    pids = sorted({*pids, *processes.named(running.head, "omni_worker"),
                   *processes.postgres(running.url)})
    used = processes.cpu_seconds(pids) - before - idle * took
    arrived = {text: moment for moment, text in system.call(running.peer_port, "GET", "/")}
    delays = [(arrived[name] - moment) * 1000 for name, moment in sent["moments"].items()
              if name in arrived]
    return {"cpu": (used / len(delays) * 1000,),
            "outbound": (quantile(delays, .5), quantile(delays, .99))}


def at_fifty(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    """From the event's storing to the start of its run, at 50 a second."""
    module(running.environment, "load", running.web_port, 8, seconds, tag, "--rate", 50)
    system.until_quiet(running.url)
    with psycopg.connect(running.url) as connection:
        starts = [float(row[0]) for row in connection.execute(_STARTS, [f"{tag}%"])]
    return {"start": (quantile(starts, .5), quantile(starts, .99))}


def answered(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    """Answers a second of the default playbook: an agent over HTTP, a send over HTTP."""
    sent = module(running.environment, "load", running.web_port, UNDER_WAY, seconds, tag,
                  "--peer", running.peer_port)
    system.until_quiet(running.url)
    return {"answered": (sent["sent"] / sent["seconds"],)}


def runs(running: System, seconds: float, tag: str, *, slug: str) -> dict[str, tuple[float, ...]]:
    """Runs a second of the account's workflow, from the first webhook to the last end."""
    module(running.environment, "load", running.web_port, CONNECTIONS, 120, tag, "--slug", slug,
           "--count", int(seconds * MOST_RUNS))
    system.until_quiet(running.url)
    with psycopg.connect(running.url) as connection:
        count, took = connection.execute(_ENDED, [f"{tag}%"]).fetchone()
    return {slug: (count / took,)}


def guarded(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    return runs(running, seconds, tag, slug="guarded")


def pure(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    return runs(running, seconds, tag, slug="pure")


def door(running: System, seconds: float, tag: str) -> dict[str, tuple[float, ...]]:
    """Accepted and committed webhooks a second at 64 connections, beside the insert loop."""
    best = 0.0
    for connections in (1, 16, 64):
        loop = module(running.environment, "insert_loop", connections, seconds / 2)
        best = max(best, loop["committed"] / loop["seconds"])
    sent = module(running.environment, "load", running.web_port, 64, seconds / 2, tag)
    return {"door": (sent["sent"] / sent["seconds"] / best,), "loop": (best,)}
