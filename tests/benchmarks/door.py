"""`python -m tests.benchmarks.door [--only NAME]`: what others notice while the front door is hurt.

A probe posts a small delivery every 50 ms; beside it come bodies made to hurt, large ones, unknown
addresses, or the emptying of a full spool. Prints the probe's answer times and the web process's
memory, beside those of the quiet seconds before: on a busy machine the worst of both is the
machine's.
"""

import argparse
import gzip
import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.benchmarks import processes, system
from tests.benchmarks.load import quantile, request
from tests.benchmarks.system import SECRET, SLUG, System

PROBE_PAUSE = 0.05


class Probe(threading.Thread):
    """Ordinary deliveries, one after the other, and how long each answer took."""

    def __init__(self, port: int, tag: str) -> None:
        super().__init__(daemon=True)
        self._port, self._tag = port, tag
        self._ended = threading.Event()
        self.times: list[float] = []
        self.refused = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        number = 0
        while not self._ended.wait(PROBE_PAUSE):
            number += 1
            body = request(f"{self._tag}{number}", number).partition(b"\r\n\r\n")[2]
            before = time.perf_counter()
            connection.request("POST", f"/webhooks/whatsapp_evolution/{SLUG}/", body,
                               {"x-omni-secret": SECRET, "content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            self.times.append((time.perf_counter() - before) * 1000)
            self.refused += answer.status != 202

    def end(self) -> str:
        self._ended.set()
        self.join()
        return (f"{len(self.times)} probes, {self.refused} refused: median "
                f"{quantile(self.times, .5):.1f} ms, p95 {quantile(self.times, .95):.1f}, p99 "
                f"{quantile(self.times, .99):.1f}, worst {max(self.times, default=0):.1f}")


class Memory(threading.Thread):
    """The peak of the web process's resident memory, in MB, above what it had before."""

    def __init__(self, running: System) -> None:
        super().__init__(daemon=True)
        self._pid = max(processes.named(running.head, "omni.asgi"), key=_pages)
        self._ended = threading.Event()
        self.before = self.peak = self._now()

    def run(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, self._now())

    def _now(self) -> float:
        return _pages(self._pid) * 4096 / 1e6

    def end(self) -> str:
        self._ended.set()
        self.join()
        return f"web process {self.before:.0f} MB, +{self.peak - self.before:.0f} MB at most"


def _pages(pid: int) -> int:
    """Resident pages of a process; 0 for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


def post(port: int, path: str, body: bytes, **headers: str) -> int:
    """The status of one POST; 0 when the connection was closed before an answer could be read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", path, body, {name.replace("_", "-"): value
                                                for name, value in headers.items()})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def watched(running: System, title: str, seconds: float = 3.0) -> Iterator[None]:
    """Print what the probe saw in quiet, and while the block ran."""
    print(f"\n{title}", flush=True)
    quiet = Probe(running.web_port, f"q{time.time_ns()}-")
    quiet.start()
    time.sleep(seconds)
    print(f"  quiet: {quiet.end()}", flush=True)
    probe, memory = Probe(running.web_port, f"p{time.time_ns()}-"), Memory(running)
    probe.start()
    memory.start()
    try:
        yield
    finally:
        print(f"  while: {probe.end()}; {memory.end()}", flush=True)


def bombs(running: System, seconds: float) -> None:
    bomb = gzip.compress(b"\0" * 63_000_000)
    for path, headers in ((f"/webhooks/whatsapp_evolution/{SLUG}/", {"x_omni_secret": "wrong"}),
                          ("/webhooks/webhook/hub/", {"x_hub_signature_256": "sha256=00"})):
        with watched(running, f"20 gzip bodies of {len(bomb):,} bytes a second to {path}"):
            statuses, end = [], time.monotonic() + seconds
            while time.monotonic() < end:
                before = time.monotonic()
                statuses.append(post(running.web_port, path, bomb, content_encoding="gzip",
                                     **headers))
                time.sleep(max(0.0, 0.05 - (time.monotonic() - before)))
            print(f"  {len(statuses)} sent, answers {sorted(set(statuses))}")


def strangers(running: System) -> None:
    with watched(running, "6 x 50 MB to an address that does not exist"):
        statuses: list[int] = []
        threads = [threading.Thread(target=lambda: statuses.append(
            post(running.web_port, "/webhooks/webhook/nobody/", bytes(50_000_000))))
            for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"  answers {statuses} (0: closed while the body was still being sent)")


def scanner(running: System, environment: dict[str, str]) -> None:
    with watched(running, "1,958 addresses that do not exist, each twice in a row"):
        looked = _scans(environment)
        connection = http.client.HTTPConnection("127.0.0.1", running.web_port, timeout=60)
        before = time.monotonic()
        for number in range(2 * 1958):
            connection.request("POST", f"/webhooks/webhook/scan-{number // 2}/", b"{}")
            connection.getresponse().read()
        took = time.monotonic() - before
        time.sleep(2.5)
        with psycopg.connect(environment["DATABASE_URL"]) as database:
            rows = database.execute("SELECT count(*), sum(count) FROM omni_knocks "
                                    "WHERE reason = 'unknown_address'").fetchone()
        print(f"  took {took:.1f} s; look-ups in omni_instances {_scans(environment) - looked}; "
              f"rows in omni_knocks {rows[0]} of {rows[1]} knocks")


def _scans(environment: dict[str, str]) -> int:
    time.sleep(1.5)  # backends tell their statistics about once a second
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        return database.execute("SELECT seq_scan + idx_scan FROM pg_stat_user_tables "
                                "WHERE relname = 'omni_instances'").fetchone()[0]


def large(running: System, sizes: tuple[int, ...]) -> None:
    for size in (5, *sizes):  # the first starts the process for large bodies
        message = json.loads(request(f"large-{size}", 1).partition(b"\r\n\r\n")[2])
        message["data"]["message"] = {"videoMessage": {"mimetype": "video/mp4"},
                                      "base64": "A" * (size * 1_000_000)}
        message["data"]["messageType"] = "videoMessage"
        body = json.dumps(message).encode()
        with watched(running, f"one delivery of {size} MB"):
            before = time.monotonic()
            status = post(running.web_port, f"/webhooks/whatsapp_evolution/{SLUG}/", body,
                          x_omni_secret=SECRET, content_type="application/json")
            print(f"  answered {status} after {time.monotonic() - before:.1f} s")
            time.sleep(0.5)


def spool(environment: dict[str, str], files: int, seconds: float) -> None:
    folder = Path(tempfile.mkdtemp(prefix="omni-bench-spool-"))
    try:
        with system.running(environment, workers=False) as running:  # the instance is made
            print(f"\na spool of {files:,} files", flush=True)
            quiet = Probe(running.web_port, "spool-quiet-")
            quiet.start()
            time.sleep(seconds)
            print(f"  quiet: {quiet.end()}", flush=True)
        filled = {**environment, "OMNI_SPOOL_DIR": str(folder)}
        system.run_python(filled, "-c", _FILL.format(files=files, slug=SLUG))
        with system.running(filled, workers=False) as running:
            probe, before = Probe(running.web_port, "spool-"), time.monotonic()
            probe.start()
            while _holds_any(folder):
                time.sleep(0.5)
            print(f"  drained {files + 200:,} in {time.monotonic() - before:.1f} s meanwhile: "
                  f"{probe.end()}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _holds_any(folder: Path) -> bool:
    """Without listing all of it: that would hold up the probe, which is a thread of ours."""
    with os.scandir(folder) as files:
        return any(file.name.endswith(".delivery") for file in files)


_FILL = """
import django; django.setup()
import itertools, tempfile, time
from datetime import UTC, datetime
from connections.adapter import Delivery
from connections.models import Instance
from pathlib import Path
from events.door import spool
from events.store import archive, durable
from tests.benchmarks.load import request
instance = Instance.objects.get(slug="{slug}")
def entry(number):
    body = request(f"spooled-{{number}}", number).partition(b"\\r\\n\\r\\n")[2]
    return spool.pack(archive.keep(Delivery(body=body, received_at=datetime.now(UTC)),
                                   instance_id=instance.pk, adapter=instance.adapter, proof="b"))
spool.folder().mkdir(parents=True, exist_ok=True)
for number in range({files}):
    data = entry(number)
    (spool.folder() / f"{{time.time_ns():020d}}-1-{{number:09d}}-{{len(data)}}.delivery"
     ).write_bytes(data)
def told(keep):
    times = []
    for number in range(200):
        data, before = entry({files} + number), time.perf_counter()
        keep(data)
        times.append((time.perf_counter() - before) * 1000)
    return "first write %.1f ms; of 199 more: median %.1f ms, p95 %.1f, worst %.1f" % (
        times[0], sorted(times[1:])[99], sorted(times[1:])[189], max(times[1:]))
print("  into it:", told(spool.write))
with tempfile.TemporaryDirectory() as beside:
    numbers = itertools.count()
    print("  the disk itself, an empty folder:", told(
        lambda data: durable.write(Path(beside) / str(next(numbers)), data)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--only", choices=("bombs", "strangers", "scanner", "large", "spool"))
    options = parser.parse_args()

    def wanted(name: str) -> bool:
        return options.only in (None, name)

    with system.database() as environment:
        with system.running(environment, workers=False) as running:
            system.call(running.web_port, "POST", "/api/v1/instances/", {
                "slug": "hub", "name": "Hub", "provider": "webhook", "labels": [],
                "settings": {"verification": "hub_signature"},
                "credentials": {"secret": "a long random text for measurements"}})
            if wanted("bombs"):
                bombs(running, options.seconds)
            if wanted("strangers"):
                strangers(running)
            if wanted("scanner"):
                scanner(running, environment)
            if wanted("large"):
                large(running, (40, 60))
        if wanted("spool"):
            spool(environment, options.files, options.seconds)


if __name__ == "__main__":
    main()
