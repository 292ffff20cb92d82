"""Every statement of every process, in order, from the log of the embedded server itself.

A prepared statement counts once per execution; BEGIN, COMMIT and a SELECT that notifies count as
statements. A transaction is a virtual transaction id: one of its own for a statement outside
BEGIN, one for all statements of a pipeline without it.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg

OWN = "benchmark"  # application_name of whoever measures: never counted
SETTLE_SECONDS = 0.2  # until every session has read the new setting
LOGGED = {"logging_collector": "on", "log_destination": "jsonlog", "log_rotation_age": "0",
          "log_rotation_size": "0"}  # how a server must be started to be counted
_LITERALS = re.compile(r"'(?:[^']|'')*'(?:::[a-z_0-9]+(?:\[\])?)?|\"s\d+_x\d+\"|"
                       r"\b\d+(?:\.\d+)?\b|\bNULL\b")
_LISTS = re.compile(r"(\(|\[)\?(?:, ?\?)+(\)|\])")


class Statement(NamedTuple):
    """One execution. backend: process id of its session. text: without its values."""

    application: str
    backend: int
    transaction: str
    text: str


class Window(NamedTuple):
    """What was executed between two marks, and how long that was."""

    statements: list[Statement]
    seconds: float

    @property
    def transactions(self) -> int:
        return len({(one.backend, one.transaction) for one in self.statements})

    def texts(self) -> Counter[str]:
        return Counter(one.text for one in self.statements)


class StatementLog:
    """Context manager: the log is on inside the block. Needs a server started with LOGGED."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, application_name=OWN)
        folder, name = self._connection.execute(
            "SELECT current_setting('data_directory'), pg_current_logfile('jsonlog')").fetchone()
        self._path = Path(folder) / name
        self._start = (self._path.stat().st_size, 0.0)

    def __enter__(self) -> "StatementLog":
        self._set("log_statement = 'all'", "log_parameter_max_length = 0")
        self._start = self._mark()
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._connection:
            self._set("log_statement = 'none'")

    def cut(self) -> Window:
        """Everything since the last cut, or since the block began."""
        start, self._start = self._start, self._mark()
        with self._path.open("rb") as file:
            file.seek(start[0])
            lines = file.read(self._start[0] - start[0]).splitlines()
        return Window([one for one in map(_read, lines) if one is not None],
                      self._start[1] - start[1])

    def _set(self, *settings: str) -> None:
        for setting in settings:
            self._connection.execute(f"ALTER SYSTEM SET {setting}")
        self._connection.execute("SELECT pg_reload_conf()")
        time.sleep(SETTLE_SECONDS)

    def _mark(self) -> tuple[int, float]:
        """(end of the log so far, now); what was executed before is before it."""
        sign, moment = f"mark {time.time_ns()}".encode(), time.monotonic()
        self._connection.execute(f"SELECT '{sign.decode()}'")
        position = self._start[0]
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with self._path.open("rb") as file:
                file.seek(position)
                found = file.read()
            if (at := found.find(sign)) >= 0 and (line := found.find(b"\n", at)) >= 0:
                return position + line + 1, moment
            time.sleep(0.01)
        raise TimeoutError(f"{self._path} does not say what was executed")


def _read(line: bytes) -> Statement | None:
    entry = json.loads(line)
    kind, _, text = entry.get("message", "").partition(": ")
    if not (kind == "statement" or kind.startswith("execute ")):
        return None
    if entry.get("application_name") == OWN:
        return None
    return Statement(entry.get("application_name", ""), entry["pid"], entry.get("vxid", ""),
                     without_values(text))


def without_values(text: str) -> str:
    """A statement on one line, each value a question mark."""
    one_line = _LITERALS.sub("?", " ".join(text.split()))
    return _LISTS.sub(r"\1?\2", one_line)


def per_message(windows: Iterable[Window], idle: Iterable[Window], *,
                messages: int) -> tuple[float, float]:
    """(statements, transactions) of one message: less what an equally long quiet time has."""
    windows, idle = list(windows), list(idle)
    share = sum(one.seconds for one in windows) / sum(one.seconds for one in idle)
    counts = [sum(map(count, windows)) - share * sum(map(count, idle)) for count in (
        lambda window: len(window.statements), lambda window: window.transactions)]
    return counts[0] / messages, counts[1] / messages
