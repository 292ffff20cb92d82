"""Families of processes, what they used of the processor and hold of the memory, from /proc."""

import os
from pathlib import Path

import psycopg

_TICKS = os.sysconf("SC_CLK_TCK")


def family(head: int) -> list[int]:
    """The process and all below it, in the order of their ids."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if stat := _stat(int(folder.name)):
            children.setdefault(int(stat[1]), []).append(int(folder.name))
    found = [head]
    for pid in found:
        found += children.get(pid, [])
    return sorted(found)


def named(head: int, words: str) -> list[int]:
    """The family of the child of `head` whose command line holds `words`."""
    return next((family(pid) for pid in family(head)
                 if (stat := _stat(pid)) and int(stat[1]) == head and words in _command(pid)), [])


def postgres(url: str) -> list[int]:
    """The server of `url` and its backends; the server is the parent of our own backend."""
    with psycopg.connect(url, application_name="benchmark") as connection:
        stat = _stat(connection.info.backend_pid)
    if stat is None:
        raise RuntimeError("PostgreSQL is not on this machine")
    return family(int(stat[1]))


def cpu_seconds(pids: list[int]) -> float:
    """Used so far by these processes, and by children of theirs that have ended."""
    stats = [stat for pid in pids if (stat := _stat(pid))]
    return sum(int(value) for stat in stats for value in stat[11:15]) / _TICKS


def memory_mb(pids: list[int]) -> float:
    """Proportional set size: a page that several processes share counts once in all."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(line.split()[1]) for line in text.splitlines()
                      if line.startswith("Pss:"))
    return total * 1024 / 1e6


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on; None for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
