"""Every statement of every process, in order, from the log of the embedded server itself.

A prepared statement counts once per execution; BEGIN, COMMIT and a SELECT that notifies count as
statements. A transaction is a virtual transaction id: one of its own for a statement outside
BEGIN, one for all statements of a pipeline without it.
"""

import json
import re
import statistics
import time
from collections import Counter
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

    def by_transaction(self) -> dict[tuple[int, str], tuple[str, ...]]:
        """(session, transaction) -> the texts of its statements, in order."""
        found: dict[tuple[int, str], list[str]] = {}
        for one in self.statements:
            found.setdefault((one.backend, one.transaction), []).append(one.text)
        return {key: tuple(texts) for key, texts in found.items()}

    def transactions(self) -> list[tuple[str, ...]]:
        return list(self.by_transaction().values())


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


def per_window(busy: list[Window], idle: list[Window]) -> tuple[float, float]:
    """(statements, transactions) of a busy window, less what an equally long idle one has.

    A kind of transaction is its texts. Kinds that never occur while idle count in full; the others
    as far as they occur more often, so that looks a message causes count and those of the clock
    do not. Medians of the windows; give both the same length, as what the clock does comes once a
    second.
    """
    clock = Counter(kind for window in idle for kind in window.transactions())
    own = [[kind for kind in window.transactions() if kind not in clock] for window in busy]
    counts = [Counter(window.transactions()) for window in busy]
    more = {kind: max(0.0, statistics.median(
        count[kind] - window.seconds * statistics.median(
            one.transactions().count(kind) / one.seconds for one in idle)
        for count, window in zip(counts, busy, strict=True))) for kind in clock}
    return (statistics.median(sum(map(len, kinds)) for kinds in own)
            + sum(len(kind) * count for kind, count in more.items()),
            statistics.median(map(len, own)) + sum(more.values()))
