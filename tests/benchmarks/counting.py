"""What messages and idle seconds cost in statements: exact, as the server itself says.

What the processes do in an equally long quiet time is taken off, so the looks that a message
causes count and those of the clock do not. Settings are those of a new installation.
"""

import http.client
import json
import time
from collections import Counter
from typing import NamedTuple

import psycopg

from tests.benchmarks import clients, processes, system
from tests.benchmarks.load import request
from tests.benchmarks.module import module
from tests.benchmarks.statements import StatementLog, Window, per_window
from tests.benchmarks.system import SLUG, System

SETTLE_SECONDS = 0.3  # after quiet: the last notes and looks
WINDOW_SECONDS = 2.2  # longer than anything remembers an account; whole turns of what has a clock
UNDER_WAY = 32
WIDTH = 150  # of a statement that is shown


class Counted(NamedTuple):
    """Windows with messages and windows without. messages: in each of the first."""

    busy: list[Window]
    idle: list[Window]
    messages: int = 1

    def per_message(self) -> tuple[float, float]:
        statements, transactions = per_window(self.busy, self.idle)
        return statements / self.messages, transactions / self.messages


def warm(running: System) -> None:
    """Every thread has its session and every statement its plan; the people are known."""
    module(running.environment, "load", running.web_port, UNDER_WAY, 60,
           f"warm-{time.time_ns()}-", "--peer", running.peer_port, "--count", 4 * UNDER_WAY)
    settle(running)


def post(running: System, message_id: str, person: int, *, from_me: bool = False) -> None:
    """One webhook of its own connection. RuntimeError when it was not accepted as new."""
    head, _, body = request(message_id, person, from_me=from_me).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection = http.client.HTTPConnection("127.0.0.1", running.web_port, timeout=30)
    try:
        connection.request("POST", f"/webhooks/whatsapp_evolution/{SLUG}/", body, headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if status not in (200, 202):
        raise RuntimeError(f"{message_id}: {status}")


def lone(running: System, log: StatementLog, tag: str, *, messages: int = 5) -> Counted:
    """One message after the other is answered in an idle system, each of a person that is known."""
    busy, idle = [], []
    for number in range(messages):
        idle.append(quiet(log))
        started = time.monotonic()
        post(running, f"{tag}{number}", number)
        wait_for_answer(running, f"{tag}{number}")
        settle(running)
        busy.append(rest(log, started))
    return Counted(busy, idle)


def echoes(running: System, log: StatementLog, tag: str, *, messages: int = 5) -> Counted:
    """The provider tells us of our own sends, one after the other."""
    for number in range(messages):
        post(running, f"{tag}{number}", number)
        wait_for_answer(running, f"{tag}{number}")
    settle(running)
    busy, idle = [], []
    for message_id, person in our_sends(running, messages):
        idle.append(quiet(log))
        started = time.monotonic()
        post(running, message_id, person, from_me=True)
        settle(running)
        busy.append(rest(log, started))
    return Counted(busy, idle)


def quiet(log: StatementLog) -> Window:
    """A window in which nothing is asked of the system."""
    log.cut()
    time.sleep(WINDOW_SECONDS)
    return log.cut()


def rest(log: StatementLog, started: float) -> Window:
    """The window that began then, as long as a quiet one."""
    time.sleep(max(0.0, started + WINDOW_SECONDS - time.monotonic()))
    return log.cut()


def under_way(running: System, log: StatementLog, tag: str, *, seconds: float,
              count: int = 10 ** 9) -> Counted:
    """As many messages as are answered while 32 are under way all the time."""
    idle = quiet(log)
    log.cut()
    sent = module(running.environment, "load", running.web_port, UNDER_WAY, seconds, tag,
                  "--peer", running.peer_port, "--count", count)
    settle(running)
    return Counted([log.cut()], [idle], sent["sent"])


def idle(running: System, log: StatementLog, *, seconds: float) -> dict[str, float]:
    """Name of each process -> its statements a second while nothing happens."""
    settle(running)
    named = clients.names(running.url, running.head)
    log.cut()
    time.sleep(seconds)
    window = log.cut()
    found = Counter(named.get(one.backend, one.application) for one in window.statements)
    return {name: count / window.seconds for name, count in sorted(found.items())}


def idle_cpu(running: System, *, seconds: float) -> float:
    """Per cent of one core that all processes and PostgreSQL take; the log must be off."""
    settle(running)
    everybody = processes.family(running.head) + processes.postgres(running.url)
    before, started = processes.cpu_seconds(everybody), time.monotonic()
    time.sleep(seconds)
    return (processes.cpu_seconds(everybody) - before) / (time.monotonic() - started) * 100


def show(running: System, counted: Counted) -> list[str]:
    """The statements of the last window in order, with their processes; a `~` marks transactions
    that also occur in an idle system.
    """
    named = clients.names(running.url, running.head)
    clock = Counter(kind for window in counted.idle for kind in window.transactions())
    seconds = sum(window.seconds for window in counted.idle)
    window = counted.busy[-1]
    kinds = window.by_transaction()
    numbers = {key: number for number, key in enumerate(kinds, 1)}
    found = [f"{len(window.statements)} statements, {len(kinds)} transactions in "
             f"{window.seconds:.2f} s: process, session, transaction, statement"]
    for one in window.statements:
        key = one.backend, one.transaction
        mark = "~" if kinds[key] in clock else " "
        found.append(f"{mark} {named.get(one.backend, one.application):<10} {one.backend:>6} "
                     f"T{numbers[key]:<3} {one.text[:WIDTH]}")
    found.append(f"idle, times a second (in {seconds:.1f} s):")
    for kind, count in clock.most_common():
        found.append(f"  {count / seconds:6.2f}  {kind[0][:WIDTH]}")
        found += [f"          {text[:WIDTH]}" for text in kind[1:]]
    return found


def settle(running: System) -> None:
    system.until_quiet(running.url, pause=0.03)
    time.sleep(SETTLE_SECONDS)


def wait_for_answer(running: System, message_id: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.peer_port, timeout=60)
    try:
        connection.request("GET", f"/answered/{message_id}")
        json.loads(connection.getresponse().read())
    finally:
        connection.close()


def our_sends(running: System, newest: int) -> list[tuple[str, int]]:
    """(message id, number of the person) of the newest sends."""
    with psycopg.connect(running.url, application_name="benchmark") as connection:
        rows = connection.execute(
            "SELECT provider_message_id, recipient FROM omni_outbox "
            "WHERE state = 'succeeded' ORDER BY id DESC LIMIT %s", [newest]).fetchall()
    return [(message_id, int(recipient.partition("@")[0][5:])) for message_id, recipient in rows]
