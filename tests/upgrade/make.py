"""Makes `before_the_rooms.sql.gz`: what an installation of an older version left in its database.

    python -m tests.upgrade.make FOLDER-OF-THE-OLDER-VERSION tests/upgrade/NAME.sql.gz

Starts that version with `manage.py up` in an empty data folder, uses it over HTTP alone as people
and providers do, stops it while runs are under way, and dumps its database. What is called a secret
here is made up. `before_the_rooms` is of the last version whose modules lay flat in their apps.
"""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from omni.embedded.binaries import find_programs, server_account
from tests.faults.peer import Peer

FOLDER = Path(__file__).parent
SECRET_KEY = "made-up-secret-key-of-the-upgrade-test"
KEY = "omni_01d01d01_made-up-key-of-the-upgrade-test"
ENCRYPTION_KEY = "made-up-encryption-key-of-the-upgrade-test"
WEBHOOK_SECRET = "made-up-webhook-secret"
PEER_KEY = "made-up-key-of-the-peer"
IDEMPOTENCY_KEY = "made-up-idempotency-key"
SECONDS = 60.0
# Who says what, and what their runs then are: their steps take them no further by themselves.
SAID = {"later": "later", "burst 1": "burst", "may I?": "approved", "ask me": "answered",
        "call": "parent"}
UNROUTED = "later"
SENT = {"instance": "shop", "to": "351922000100@s.whatsapp.net", "text": "sent by the API"}
ASLEEP = """
SELECT w.slug FROM omni_runs r JOIN omni_workflows w ON w.id = r.workflow_id
WHERE r.state = 'waiting' ORDER BY w.slug
"""


def chat_of(number: int) -> str:
    """The address of the person who said the n-th of SAID; one more wrote to nobody's worker."""
    return f"3519220001{number:02d}@s.whatsapp.net"


def said(message_id: str, text: str, chat: str) -> dict[str, Any]:
    """The provider's delivery of a text that somebody wrote."""
    return {"event": "messages.upsert", "instance": "shop",
            "sender": "351911000001@s.whatsapp.net", "date_time": "2026-03-02T09:15:00.000Z",
            "apikey": PEER_KEY, "data": {
                "key": {"remoteJid": chat, "fromMe": False, "id": message_id}, "pushName": "Ana",
                "message": {"conversation": text}, "messageType": "conversation",
                "messageTimestamp": 1772442900}}


class Older:
    """A running installation of the older version."""

    def __init__(self, code: Path, data: Path) -> None:
        self.code, self.data = code, data
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("OMNI_", "DATABASE_", "DJANGO_"))}
        self._environment = {
            **kept, "OMNI_DATA_DIR": str(data), "OMNI_PORT": str(port), "OMNI_WORKERS": "1",
            "OMNI_SECRET_KEY": SECRET_KEY,
            "OMNI_ENCRYPTION_KEYS": ENCRYPTION_KEY, "OMNI_BOOTSTRAP_API_KEY": KEY,
            "OMNI_ADMIN_PASSWORD": "made-up-password", "OMNI_ALLOW_PRIVATE_ADDRESSES": "1"}

    @contextmanager
    def up(self, *options: str) -> Iterator[None]:
        """`manage.py up` until the block ends."""
        child = subprocess.Popen([sys.executable, "manage.py", "up", *options], cwd=self.code,
                                 env=self._environment)
        try:
            until(lambda: self._answers("/healthz"), "it answers")
            yield
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(SECONDS)

    def call(self, method: str, path: str, body: Any, *, content_type: str = "application/json",
             **headers: str) -> Any:
        """What it answers, read as JSON."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method,
            headers={"x-api-key": KEY, "content-type": content_type, **headers})
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as exc:
            raise SystemExit(f"{method} {path}: {exc.code} {exc.read().decode()}") from exc

    def told(self, message_id: str, text: str, chat: str) -> None:
        """A person writes to the account `shop`."""
        self.deliver(said(message_id, text, chat))

    def deliver(self, body: Any) -> None:
        self.call("POST", "/webhooks/whatsapp_evolution/shop/", body,
                  **{"x-omni-secret": WEBHOOK_SECRET})

    def dsn(self) -> str:
        """The address of its database, as its own settings have it."""
        return subprocess.run(
            [sys.executable, "-c", "import django; django.setup()\n"
             "from django.db import connection\n"
             "connection.ensure_connection(); print(connection.connection.info.dsn)"],
            cwd=self.code, text=True, capture_output=True, check=True,
            env={**self._environment, "DJANGO_SETTINGS_MODULE": "omni.settings"}).stdout.strip()

    def _answers(self, path: str) -> bool:
        try:
            return urllib.request.urlopen(self.url + path).status == 200
        except OSError:
            return False


def until(true: Callable[[], Any], what: str) -> None:
    """Wait until `true()` is; AssertionError names `what` at the deadline."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.05)


def use(older: Older, peer: Peer) -> None:
    """Accounts, workflows, people and keys, by the API."""
    api = "/api/v1/"
    older.call("POST", f"{api}instances/", {
        "slug": "shop", "name": "Shop", "provider": "whatsapp_evolution",
        "settings": {"base_url": peer.url},
        "credentials": {"api_key": PEER_KEY, "webhook_secret": WEBHOOK_SECRET}})
    older.call("POST", f"{api}secrets/", {"name": "crm", "value": "made-up-secret-of-the-crm"})
    older.call("POST", f"{api}api-keys/", {"name": "reader", "scopes": ["read"],
                                           "instances": ["shop"], "days": 30})
    older.call("POST", f"{api}contact-lists/", {
        "name": "partners", "purpose": "label", "label": "partner",
        "entries": [{"pattern": "+351922000100", "note": "made up"}]})
    text = (FOLDER / "workflows.yaml").read_text()
    older.call("POST", f"{api}workflows/import/", text, content_type="text/yaml")
    for slug in re.findall(r"^id: (\S+)$", text, re.MULTILINE):
        inputs = {"inputs": {"who": "the old one"}} if slug == "later" else {}
        older.call("PUT", f"{api}bindings/", {"workflow": slug, "scope": {"instance": "shop"},
                                              **inputs})


def talk(older: Older) -> None:
    """Messages that leave runs asleep, one that is sent, and a body that means nothing."""
    for number, text in enumerate(SAID):
        older.told(f"OLD{number}", text, chat_of(number))
    older.told("OLDBURST", "burst 2", chat_of(list(SAID).index("burst 1")))
    older.call("POST", "/api/v1/messages/send/", SENT,
               **{"idempotency-key": IDEMPOTENCY_KEY})
    older.deliver("{")
    with psycopg.connect(older.dsn(), autocommit=True) as connection:
        asleep = sorted([*SAID.values(), "child"])
        until(lambda: [slug for slug, in connection.execute(ASLEEP)] == asleep,
              "the runs are asleep")


def dump(older: Older) -> bytes:
    """Its database as SQL that any client can run as one text, and servers of other versions."""
    programs = find_programs(server_account(older.data), home=older.data, wanted=None)
    text = subprocess.run(
        [programs.path("pg_dump"), "--no-owner", "--no-privileges", "--rows-per-insert=100",
         "--exclude-table-data=django_session", f"--dbname={older.dsn()}"],
        check=True, capture_output=True, text=True).stdout
    of_psql = re.compile(r"^(\\(un)?restrict .*|SET transaction_timeout = 0;)\n", re.MULTILINE)
    return of_psql.sub("", text).replace(f"'{socket.gethostname()}:", "'older:").encode()


def main(code: str, target: str) -> None:
    peer = Peer()
    with tempfile.TemporaryDirectory(prefix="omni-older-") as folder:
        os.chmod(folder, 0o755)
        older = Older(Path(code).resolve(), Path(folder) / "data")
        with older.up():
            use(older, peer)
            talk(older)
        with older.up("--no-workers"):
            older.told("OLDUNROUTED", UNROUTED, chat_of(len(SAID)))
            Path(target).write_bytes(gzip.compress(dump(older), mtime=0))
    peer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
