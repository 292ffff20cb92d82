"""`python -m tests.benchmarks.run [--seconds N]`: measures and prints a table; about two minutes.

Everything shares this machine's cores, the senders and the peer too: ratios within one run mean
more than single figures. Gates are printed beside what was measured.
"""

import argparse
import json
import subprocess
import sys
import time

import psycopg

from tests.benchmarks import system
from tests.benchmarks.load import quantile

_START = """
SELECT extract(epoch FROM r.started_at - r.created_at) * 1000 FROM omni_runs r
JOIN omni_events e ON e.id = r.event_id WHERE e.provider_message_id LIKE %s
  AND r.started_at IS NOT NULL
"""
_ENDED = """
SELECT count(*), extract(epoch FROM max(r.ended_at) - min(e.received_at))
FROM omni_runs r JOIN omni_events e ON e.id = r.event_id
WHERE e.provider_message_id LIKE %s AND r.state = 'done'
"""


def module(environment: dict[str, str], name: str, *arguments: object) -> dict:
    """A measuring process; its last line of output as data."""
    done = subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}",
                           *map(str, arguments)], cwd=system.ROOT, env=environment, check=True,
                          capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def ingest(environment: dict[str, str], seconds: float) -> None:
    print("\naccepted and committed webhooks, beside the insert loop")
    print(f"{'connections':>12} {'loop/s':>8} {'p50 ms':>7} {'p99 ms':>7} | "
          f"{'door/s':>8} {'p50 ms':>7} {'p99 ms':>7} {'refused':>8} | {'door/loop':>9}")
    best = 0.0
    last = 0.0
    with system.running(environment, workers=False) as running:
        module(environment, "load", running.web_port, 4, 2, 0, "warm")
        for connections in (1, 16, 64):
            loop = module(environment, "insert_loop", connections, seconds)
            door = module(environment, "load", running.web_port, connections, seconds, 0,
                          f"i{connections}-")
            loop_rate = loop["committed"] / loop["seconds"]
            last = door["sent"] / door["seconds"]
            best = max(best, loop_rate)
            print(f"{connections:>12} {loop_rate:>8.0f} {loop['p50_ms']:>7.1f} "
                  f"{loop['p99_ms']:>7.1f} | {last:>8.0f} {door['p50_ms']:>7.1f} "
                  f"{door['p99_ms']:>7.1f} {door['refused']:>8} | {last / loop_rate:>9.2f}")
    print(f"at 64 connections the door does {last / best:.2f} of the loop's best (gate 0.50)")


def latency(environment: dict[str, str], seconds: float) -> None:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:  # what ingest left behind
        connection.execute("UPDATE omni_events SET routed_at = now() WHERE routed_at IS NULL")
    with system.running(environment, workers=True) as running:
        module(environment, "load", running.web_port, 2, 3, 20, "warmup-")
        _until_quiet(environment)
        for rate, tag in ((20, "lat20-"), (50, "lat50-")):
            sent = module(environment, "load", running.web_port, 8, seconds, rate, tag)
            _until_quiet(environment)
            arrived = {text: moment for moment, text in
                       system.call(running.peer_port, "GET", "/")}
            delays = [(arrived[name] - moment) * 1000 for name, moment in sent["moments"].items()
                      if name in arrived]
            starts = _column(environment, _START, tag)
            print(f"\nat {rate} a second: {len(sent['moments'])} webhooks, "
                  f"{len(delays)} replies; acknowledged p50 {sent['p50_ms']:.1f} ms, "
                  f"p99 {sent['p99_ms']:.1f} ms")
            print(f"  webhook to outbound call: p50 {quantile(delays, .5):.1f} ms, p95 "
                  f"{quantile(delays, .95):.1f}, p99 {quantile(delays, .99):.1f}"
                  + (" (gate p50 20)" if rate == 20 else ""))
            print(f"  start of a run: p50 {quantile(starts, .5):.1f} ms, p95 "
                  f"{quantile(starts, .95):.1f}, p99 {quantile(starts, .99):.1f}"
                  + (" (gate p50 10)" if rate == 50 else ""))
        module(environment, "load", running.web_port, 32, seconds / 2, 0, "burst-")
        _until_quiet(environment)
        count, took = _row(environment, _ENDED, "burst-")
        print(f"\ncompleted default-reply runs: {count} in {took:.1f} s from the first webhook, "
              f"{count / float(took):.0f} a second (agent call and send included)")


def _until_quiet(environment: dict[str, str]) -> None:
    """Wait until no event is unrouted and no run is live."""
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
        end = time.monotonic() + 180
        while time.monotonic() < end:
            open_rows = connection.execute(
                "SELECT (SELECT count(*) FROM omni_events WHERE routed_at IS NULL) + (SELECT "
                "count(*) FROM omni_runs WHERE state IN ('queued', 'running'))").fetchone()[0]
            if not open_rows:
                return
            time.sleep(0.2)
    raise TimeoutError("runs did not end within 180 s")


def _column(environment: dict[str, str], query: str, tag: str) -> list[float]:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return [float(row[0]) for row in connection.execute(query, [f"{tag}%"])]


def _row(environment: dict[str, str], query: str, tag: str) -> tuple:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return connection.execute(query, [f"{tag}%"]).fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--only", choices=("ingest", "latency"))
    options = parser.parse_args()
    with system.database() as environment:
        if options.only != "latency":
            ingest(environment, options.seconds)
        if options.only != "ingest":
            latency(environment, options.seconds)


if __name__ == "__main__":
    main()
