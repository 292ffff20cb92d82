"""The real system in processes of its own: durable PostgreSQL, web, worker cluster and a peer.

What a supervisor does in an installation, starting again what died, is done by who uses it.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from omni.embedded.server import EmbeddedPostgres
from omni.processes.children import die_with_parent, end_group
from tests.factories import SECRET, evolution_text
from tests.faults.peer import Peer

ROOT = Path(__file__).resolve().parents[2]
SLUG = "shop"
KEY = "omni_f0f0f0f0_key-of-the-fault-tests"
START_SECONDS = 60.0
_SET_UP = """
import django; django.setup()
from actions.models import Agent
from connections.models import Instance
from registry.versions.seed import seed
seed()
Agent.objects.create(slug="echo", name="Echo", kind="http", base_url="{peer}/agent")
Instance.objects.create(slug="{slug}", name="Shop", provider="whatsapp_evolution", agent="echo",
                        settings={{"base_url": "{peer}"}},
                        credentials={{"api_key": "peer", "webhook_secret": "{secret}"}})
"""

_WORKER = """
import django; django.setup()
{first}
from django.core.management import call_command; call_command("omni_worker")
"""


def until(true: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Wait until `true()` is, and return it. AssertionError names `what` at the deadline."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.03)
    return value


class System:
    """Starts in `start`, ends in `stop`. Start processes from the main thread only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.peer = Peer()
        self.web_port = _free_port()
        self._database = EmbeddedPostgres(folder)
        self._children: dict[str, subprocess.Popen] = {}
        self._environment: dict[str, str] = {}
        self._armed: dict[str, str] = {}

    def start(self) -> None:
        url = self._database.start()
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("OMNI_", "DATABASE_")) or name == "OMNI_PG_BIN"}
        self._environment = {
            **kept, "DATABASE_URL": url, "OMNI_DATA_DIR": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "omni.settings", "OMNI_TEST_MODE": "1",
            # so long that what was answered is only known where a process asked for it in time
            "OMNI_INSTANCE_CACHE_SECONDS": "60",
            "OMNI_LEASE_SECONDS": "4", "OMNI_ALLOW_PRIVATE_ADDRESSES": "1",
            "OMNI_GROUP_COMMIT": "1", "OMNI_LOG_LEVEL": "WARNING", "OMNI_BOOTSTRAP_API_KEY": KEY,
            # the few people of the tests hear more in a minute than people should
            "OMNI_REPLIES_PER_MINUTE": "0", "OMNI_SENDS_PER_MINUTE": "0",
            "OMNI_SENDS_PER_PERSON": "0", "OMNI_ECHO_WAIT_SECONDS": "1"}
        self._run("manage.py", "migrate", "-v", "0")
        self._run("-c", _SET_UP.format(peer=self.peer.url, slug=SLUG, secret=SECRET))
        self.start_web()
        self.start_workers()

    def stop(self) -> None:
        for name in list(self._children):
            self.kill(name)
        if not self._database.has_ended():
            self.kill_database()  # what it holds is thrown away: no time for a clean stop
        self._database.stop()
        self.peer.close()

    def start_web(self, *, failpoint: str = "") -> None:
        self._start("web", failpoint, "-m", "granian", "--interface", "asgi", "--ws", "--workers",
                    "1", "--host", "127.0.0.1", "--port", str(self.web_port), "--no-access-log",
                    "--log-level", "warning", "omni.asgi:application")
        until(self._web_answers, seconds=START_SECONDS, what="web answers")

    def start_workers(self, *, failpoint: str = "", first: str = "") -> None:
        """Start the cluster; does not wait, as an armed one may never be ready.

        first: Python that the cluster's process runs before it begins.
        """
        command = ["-c", _WORKER.format(first=first)] if first else ["manage.py", "omni_worker"]
        self._start("worker", failpoint, *command)

    def kill(self, name: str) -> None:
        """kill -9 of a child and of everything it started."""
        child = self._children.pop(name)
        family = self.family(name, child)
        end_group(child)
        _kill(family)
        child.wait(20)

    def family(self, name: str, child: subprocess.Popen | None = None) -> set[psutil.Process]:
        """The child and all processes below it."""
        with suppress(psutil.NoSuchProcess):
            head = psutil.Process((child or self._children[name]).pid)
            return {head, *head.children(recursive=True)}
        return set()

    def kill_database(self) -> None:
        """kill -9 of the server and of all its backends."""
        head = psutil.Process(self._database.pid)
        _kill({head, *head.children(recursive=True)})
        until(self._database.has_ended, seconds=20, what="PostgreSQL is dead")

    def start_database(self) -> None:
        self._database.start()

    def end_leases_of_the_dead(self) -> None:
        """Let leases of workers that are gone run out now instead of in some seconds."""
        for (owner,) in self.rows("SELECT owner FROM omni_workers"):
            if not _is_running(int(owner.split(":")[1])):
                self.rows("DELETE FROM omni_workers WHERE owner = %s RETURNING owner", owner)
                self.rows("UPDATE omni_runs SET lease_until = clock_timestamp() "
                          "WHERE lease_owner = %s AND state = 'running' RETURNING id", owner)

    def rows(self, statement: str, *values: Any) -> list[tuple]:
        """The rows of one query, read past everything the system's processes remember."""
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def move_clock(self, *, days: int) -> None:
        """Put the database's clock ahead by `days`, for every session that begins from now on."""
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} SET omni.clock_offset = {}").format(
                sql.Identifier(connection.info.dbname), sql.Literal(f"{days} days")))

    def post(self, message_id: str, *, person: int = 0, slug: str = SLUG) -> int:
        """Post one Evolution text that says its own id; the status, 0 when nobody answered."""
        body = evolution_text(message_id, message_id, chat=f"55119{person:08d}@s.whatsapp.net")
        return self._ask("POST", f"/webhooks/whatsapp_evolution/{slug}/", body,
                         {"x-omni-secret": SECRET})[0]

    def api(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of the REST API. AssertionError when it refused, or nobody answered."""
        status, answer = self._ask(method, f"/api/v1/{path}", body, {"x-api-key": KEY})
        assert status in (200, 201), f"{method} {path}: {status} {answer.decode()}"
        return json.loads(answer)

    def switch_on(self, slug: str, text: str) -> None:
        """Publish a workflow and bind it to the account."""
        self.api("POST", "workflows/import/", {"text": text})
        self.api("PUT", "bindings/", {"workflow": slug, "scope": {"instance": SLUG}})

    def _ask(self, method: str, path: str, body: dict[str, Any],
             headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of what web answers; 0 and nothing when nobody did."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body),
                               {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def armed(self) -> list[str]:
        """The children that were started with a failpoint."""
        return [name for name, failpoint in self._armed.items() if failpoint]

    def is_alive(self, name: str) -> bool:
        return self._children[name].poll() is None

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def _start(self, name: str, failpoint: str, *arguments: str) -> None:
        self._armed[name] = failpoint
        with (self.folder / f"{name}.log").open("ab") as log:
            self._children[name] = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent(signal.SIGKILL),
                env={**self._environment, "OMNI_PROCESS": name, "OMNI_FAILPOINT": failpoint})

    def _run(self, *arguments: str) -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, env=self._environment,
                       timeout=120)

    def _web_answers(self) -> bool:
        assert self.is_alive("web"), self.log("web")
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _dsn(self) -> str:
        return self._environment["DATABASE_URL"].replace("postgres:///", "postgresql:///", 1)


def unique(prefix: str) -> str:
    """A message id that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not any(_is_running(process.pid) for process in processes), seconds=20,
          what="the killed processes are gone")


def _is_running(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
