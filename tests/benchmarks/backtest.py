"""`python -m tests.benchmarks.backtest [--events N]`: what the front door notices of a back-test.

A probe posts a small delivery every 50 ms: first alone, then while a back-test of stored events is
at work, with trials of its first runs. The second line minus the first is its price. What the web
process used of the processor for a probe tells more than times do where others use the machine too.
"""

import argparse
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

from tests.benchmarks import system
from tests.benchmarks.door import Probe
from tests.benchmarks.load import request
from tests.benchmarks.system import KEY, SECRET, SLUG

QUIET_SECONDS = 10.0
WORKFLOW = """\
omni: 1
id: measured
trigger: [{event: message.text, where: "event.text and event.direction == 'inbound'"}]
steps:
  - {id: reply, uses: route.reply, with: {text: "You said ${{ event.text }}"}}
"""
_SAME_AGAIN = """
INSERT INTO omni_events ({columns}, dedup_key, trace_id, provider_message_id, received_at,
                         routed_at)
SELECT {columns}, 'copy-' || number, gen_random_uuid(), 'copy-' || number,
       received_at - number * interval '1 second', now()
FROM omni_events, generate_series(1, %s) AS number WHERE provider_message_id = 'first'
"""
_OWN = {"id", "dedup_key", "trace_id", "provider_message_id", "received_at", "routed_at"}


def fill(environment: dict[str, str], port: int, events: int) -> None:
    """Many events like one that came in through the front door."""
    body = request("first", 1).partition(b"\r\n\r\n")[2]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", f"/webhooks/whatsapp_evolution/{SLUG}/", body,
                       {"x-omni-secret": SECRET, "content-type": "application/json"})
    assert connection.getresponse().status == 202
    with psycopg.connect(environment["DATABASE_URL"]) as rows:
        names = [name for name, in rows.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'omni_events' "
            "AND is_generated = 'NEVER'") if name not in _OWN]
        statement = _SAME_AGAIN.format(columns=", ".join(f'"{name}"' for name in names))
        rows.execute(statement.encode(), [events])


def backtest(port: int) -> tuple[float, dict]:
    """Seconds until its report is there, and the report."""
    began = time.monotonic()
    path = "/api/v1/workflows/measured/backtest/"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", path, json.dumps({
        "since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", "run": True,
        "trials": 100}), {"content-type": "application/json", "x-api-key": KEY,
                          "prefer": "wait=0"})
    answer = connection.getresponse()
    data = json.loads(answer.read())
    while answer.status == 202:
        time.sleep(1)
        data = system.call(port, "GET",
                           f"/api/v1/workflows/measured/backtests/{data['id']}/")
        if data["report"]:
            return time.monotonic() - began, data["report"]
        assert data["state"] in ("queued", "running"), data
    return time.monotonic() - began, data


def web_seconds() -> float:
    """What the web server and its workers used of the processor so far."""
    server = next(child for child in psutil.Process().children() if "granian" in child.cmdline())
    return sum(sum(process.cpu_times()[:2]) for process in (
        server, *server.children(recursive=True)))


@contextmanager
def probing(port: int, name: str) -> Iterator[None]:
    """Probes for as long as the block lasts, and prints what they met."""
    probe, before = Probe(port, f"{name}-"), web_seconds()
    probe.start()
    yield
    said = probe.end()
    used = (web_seconds() - before) * 1000 / len(probe.times)
    print(f"{name:>7}: {said}; {used:.1f} ms of the web process's processor a probe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    events = parser.parse_args().events
    with system.database() as environment, system.running(environment, workers=True) as running:
        port = running.web_port
        system.call(port, "POST", "/api/v1/workflows/import/", {"text": WORKFLOW})
        fill(environment, port, events)
        with probing(port, "alone"):
            time.sleep(QUIET_SECONDS)
        with probing(port, "beside"):
            seconds, report = backtest(port)
        print(f"the back-test: {report['events']} events and {report['tried']} trials in "
              f"{seconds:.1f} s, the start of its process included")


if __name__ == "__main__":
    main()
