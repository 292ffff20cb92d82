"""Starts the real system for a measurement: durable PostgreSQL, `manage.py up`, a loopback peer.

The peer stands for both an Evolution server and an agent that answers at once; it is a process of
its own and writes down when each call arrived.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from omni.embedded.server import EmbeddedPostgres
from omni.processes.children import die_with_parent, end_group
from tests.benchmarks.statements import LOGGED

ROOT = Path(__file__).resolve().parents[2]
KEY = "omni_benchmrk_key-for-measurements-only"
SECRET = "benchmark-secret"
SLUG = "bench"
CREDENTIALS = {"api_key": "peer", "webhook_secret": SECRET}
NO_LIMITS = {"OMNI_SENDS_PER_MINUTE": "0", "OMNI_SENDS_PER_PERSON": "0",
             "OMNI_REPLIES_PER_MINUTE": "0"}  # for rates: the engine is measured, not its limits


@dataclass(frozen=True)
class System:
    """A running system. head: process id of `manage.py up`."""

    web_port: int
    peer_port: int
    environment: dict[str, str]
    head: int

    @property
    def url(self) -> str:
        return self.environment["DATABASE_URL"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def database(options: dict[str, str] | None = None) -> Iterator[dict[str, str]]:
    """An empty PostgreSQL, durable unless `options` say else; yields how to reach it."""
    folder = Path(tempfile.mkdtemp(prefix="omni-bench-"))
    inherited = {name: value for name, value in os.environ.items()
                 if not name.startswith("OMNI_") or name == "OMNI_PG_BIN"}
    try:
        with EmbeddedPostgres(folder, options={**LOGGED, **(options or {})}) as server:
            url = server.start().replace("postgres:///", "postgresql:///", 1)
            yield {
                **inherited, "DATABASE_URL": url, "OMNI_DATA_DIR": str(folder),
                "DJANGO_SETTINGS_MODULE": "omni.settings", "OMNI_BOOTSTRAP_API_KEY": KEY,
                "OMNI_ALLOW_PRIVATE_ADDRESSES": "1", "OMNI_LOG_LEVEL": "WARNING",
                "OMNI_ADMIN_PASSWORD": "benchmark-only-password"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(environment: dict[str, str], *, workers: bool = True,
            settings: dict[str, str] | None = None) -> Iterator[System]:
    """`manage.py up` and a peer until the block ends. settings: of the environment, for this."""
    web_port, peer_port = free_port(), free_port()
    environment = {**environment, **(settings or {})}
    up = ["manage.py", "up", "--port", str(web_port), *([] if workers else ["--no-workers"])]
    children = [subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGTERM))
        for arguments in (["-m", "tests.benchmarks.peer", str(peer_port)], up)]
    try:
        _wait_for(peer_port, "/")
        _wait_for(web_port, "/readyz" if workers else "/healthz")
        system = System(web_port, peer_port, environment, children[-1].pid)
        _set_up(system)
        yield system
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            try:
                child.wait(40)
            finally:
                end_group(child)


def call(port: int, method: str, path: str, body: object = None) -> object:
    """One API call; the parsed answer. Raises RuntimeError for a status of 400 and above."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"content-type": "application/json", "x-api-key": KEY})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {text}")
    return json.loads(text) if text else None


def add_account(system: System, slug: str) -> None:
    """A WhatsApp account whose server and agent are the peer, unless it is there already."""
    known = call(system.web_port, "GET", "/api/v1/instances/")
    peer = f"http://127.0.0.1:{system.peer_port}"
    if any(row["slug"] == slug for row in known["results"]):
        call(system.web_port, "PATCH", f"/api/v1/instances/{slug}/",
             {"settings": {"base_url": peer}, "credentials": CREDENTIALS})
        return
    call(system.web_port, "POST", "/api/v1/instances/", {
        "slug": slug, "name": slug.title(), "provider": "whatsapp_evolution", "agent": "echo",
        "settings": {"base_url": peer}, "labels": [], "credentials": CREDENTIALS})


def switch_on(system: System, workflow: str, text: str, *, slug: str) -> None:
    """Publish a workflow and bind it to an account of its own, which is made."""
    add_account(system, slug)
    call(system.web_port, "POST", "/api/v1/workflows/import/", {"text": text})
    call(system.web_port, "PUT", "/api/v1/bindings/",
         {"workflow": workflow, "scope": {"instance": slug}})


def until_quiet(url: str, *, seconds: float = 180.0, pause: float = 0.1) -> None:
    """Wait until nothing is unrouted and no run can go on. TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True, application_name="benchmark") as connection:
        inbox = connection.execute("SELECT to_regclass('omni_inbox')").fetchone()[0]
        unrouted = "omni_inbox" if inbox else "omni_events WHERE routed_at IS NULL"
        while connection.execute(
                f"SELECT EXISTS (SELECT 1 FROM {unrouted}) OR EXISTS (SELECT 1 FROM omni_runs "
                "WHERE state IN ('queued', 'running', 'blocked'))").fetchone()[0]:
            if time.monotonic() > end:
                raise TimeoutError(f"runs did not end within {seconds:g} s")
            time.sleep(pause)


def prepare(environment: dict[str, str]) -> None:
    """The schema and the first data, as `up` makes them, where nothing is started."""
    run_python(environment, "manage.py", "migrate", "-v", "0")
    run_python(environment, "-c", "import django; django.setup(); "
               "from registry.versions.seed import seed; seed()")


def run_python(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, env=environment)


def _set_up(system: System) -> None:
    """The account `bench`, whose agent is the peer."""
    address = f"http://127.0.0.1:{system.peer_port}/agent"
    known = call(system.web_port, "GET", "/api/v1/agents/")
    if any(row["slug"] == "echo" for row in known["results"]):
        call(system.web_port, "PATCH", "/api/v1/agents/echo/", {"base_url": address})
    else:
        call(system.web_port, "POST", "/api/v1/agents/", {
            "slug": "echo", "name": "Echo", "kind": "http", "base_url": address})
    add_account(system, SLUG)


def _wait_for(port: int, path: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"nothing answers at port {port}{path}")
