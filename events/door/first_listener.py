"""Waits, as a small process, for the first instance that needs a listener; then becomes one.

`manage.py up` starts it in place of `manage.py listen --all`, which it becomes then:
`python -m events.door.first_listener MANAGE PROVIDER...`, the providers that listen. It knows no
Django, which would be most of its memory. An instance is noticed within LOOK_SECONDS.
"""

import logging
import os
import signal
import sys
import time
from pathlib import Path

import psycopg

from omni.embedded.places import socket_url
from omni.logs import LineFormatter

logger = logging.getLogger("omni.events")
LOOK_SECONDS = 5.0
_LOOK = """
SELECT EXISTS (SELECT FROM omni_instances
               WHERE enabled AND archived_at IS NULL AND provider = ANY(%s::text[]))"""


def main(manage: str, providers: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
    _log_as_django_does()
    logger.info("No instance needs a listener; waiting for one.")
    while not _is_needed(providers):
        time.sleep(LOOK_SECONDS)
    os.execv(sys.executable, [sys.executable, manage, "listen", "--all"])


def _is_needed(providers: list[str]) -> bool:
    """True also for an address of the database that only Django can read: `listen` waits, too.

    Connects anew each time; a backend at rest would hold more memory than that costs.
    """
    url = os.environ.get("DATABASE_URL") or socket_url(Path(os.environ["OMNI_DATA_DIR"]))
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5,
                             application_name="omni-listeners") as connection:
            row = connection.execute(_LOOK, [providers]).fetchone()
            return row is not None and row[0]
    except psycopg.ProgrammingError:
        return True
    except psycopg.Error:
        logger.warning("Instances could not be read; looking again.")
        return False


def _log_as_django_does() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=os.environ.get("OMNI_LOG_LEVEL", "INFO"), handlers=[handler])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
