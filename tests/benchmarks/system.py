"""Starts the real system for a measurement: durable PostgreSQL, web, workers, and a loopback peer.

The peer stands for both an Evolution server and an agent that answers at once; it is a process of
its own and writes down when each call arrived.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omni.embedded.server import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
KEY = "omni_benchmrk_key-for-measurements-only"
SECRET = "benchmark-secret"
SLUG = "bench"
CREDENTIALS = {"api_key": "peer", "webhook_secret": SECRET}


@dataclass(frozen=True)
class System:
    """Ports and environment of a running system."""

    web_port: int
    peer_port: int
    environment: dict[str, str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """A durable PostgreSQL with the schema; yields the environment to reach it."""
    folder = Path(tempfile.mkdtemp(prefix="omni-bench-"))
    try:
        with EmbeddedPostgres(folder) as server:
            environment = {
                **os.environ, "DATABASE_URL": server.start(), "OMNI_DATA_DIR": str(folder),
                "OMNI_BOOTSTRAP_API_KEY": KEY, "OMNI_ALLOW_PRIVATE_ADDRESSES": "1",
                "OMNI_ADMIN_PASSWORD": "benchmark-only-password", "OMNI_LOG_LEVEL": "WARNING",
                "OMNI_SENDS_PER_MINUTE": "0", "OMNI_SENDS_PER_PERSON": "0",
                "OMNI_REPLIES_PER_MINUTE": "0"}  # the engine is measured, not its limits
            _run(environment, "manage.py", "migrate", "-v", "0")
            _run(environment, "-c", "import django; django.setup(); "
                 "from registry.versions.seed import seed; seed()")
            yield environment
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(environment: dict[str, str], *, workers: bool) -> Iterator[System]:
    """Web, peer and, when asked for, workers, until the block ends."""
    web_port, peer_port = free_port(), free_port()
    children = [
        subprocess.Popen([sys.executable, "-m", "tests.benchmarks.peer", str(peer_port)],
                         cwd=ROOT, env=environment),
        subprocess.Popen([sys.executable, "-m", "granian", "--interface", "asgi", "--ws",
                          "--workers", "1", "--host", "127.0.0.1", "--port", str(web_port),
                          "--log-level", "warning", "omni.asgi:application"],
                         cwd=ROOT, env={**environment, "OMNI_PROCESS": "web"})]
    if workers:
        children.append(subprocess.Popen([sys.executable, "manage.py", "omni_worker"], cwd=ROOT,
                                         env={**environment, "OMNI_PROCESS": "worker"}))
    try:
        _wait_for(web_port, "/readyz" if workers else "/healthz")
        _wait_for(peer_port, "/")
        system = System(web_port, peer_port, environment)
        _set_up(system)
        yield system
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait(30)


def call(port: int, method: str, path: str, body: object = None) -> object:
    """One API call; the parsed answer. Raises RuntimeError for a status of 400 and above."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body),
                       {"content-type": "application/json", "x-api-key": KEY})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {text}")
    return json.loads(text) if text else None


def _set_up(system: System) -> None:
    """An instance whose agent is the peer, unless it is there already."""
    known = call(system.web_port, "GET", "/api/v1/instances/")
    peer = f"http://127.0.0.1:{system.peer_port}"
    if any(row["slug"] == SLUG for row in known["results"]):
        call(system.web_port, "PATCH", f"/api/v1/instances/{SLUG}/",
             {"settings": {"base_url": peer}, "credentials": CREDENTIALS})
        call(system.web_port, "PATCH", "/api/v1/agents/echo/", {"base_url": f"{peer}/agent"})
        return
    call(system.web_port, "POST", "/api/v1/agents/", {
        "slug": "echo", "name": "Echo", "kind": "http", "base_url": f"{peer}/agent"})
    call(system.web_port, "POST", "/api/v1/instances/", {
        "slug": SLUG, "name": "Benchmark", "provider": "whatsapp_evolution", "agent": "echo",
        "settings": {"base_url": peer}, "labels": [], "credentials": CREDENTIALS})


def _run(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True,
                   env={**environment, "DJANGO_SETTINGS_MODULE": "omni.settings"})


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
