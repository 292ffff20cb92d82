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
from tests.benchmarks.statements import StatementLog, Window, per_message
from tests.benchmarks.system import SLUG, System

SETTLE_SECONDS = 0.3  # after quiet: the last notes and looks
QUIET_SECONDS = 2.2  # between lone messages: longer than anything remembers an account
UNDER_WAY = 32


class Counted(NamedTuple):
    """Windows with messages, windows without, and how many messages those were."""

    busy: list[Window]
    idle: list[Window]
    messages: int

    def per_message(self) -> tuple[float, float]:
        return per_message(self.busy, self.idle, messages=self.messages)


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
        log.cut()
        time.sleep(QUIET_SECONDS)
        idle.append(log.cut())
        post(running, f"{tag}{number}", number)
        wait_for_answer(running, f"{tag}{number}")
        settle(running)
        busy.append(log.cut())
    return Counted(busy, idle, messages)


def echoes(running: System, log: StatementLog, tag: str, *, messages: int = 5) -> Counted:
    """The provider tells us of our own sends, one after the other."""
    for number in range(messages):
        post(running, f"{tag}{number}", number)
        wait_for_answer(running, f"{tag}{number}")
    settle(running)
    sent = our_sends(running, messages)
    log.cut()
    time.sleep(QUIET_SECONDS)
    idle, busy = [log.cut()], []
    for message_id, person in sent:
        post(running, message_id, person, from_me=True)
        time.sleep(0.05)
        settle(running)
        busy.append(log.cut())
    return Counted(busy, idle, messages)


def under_way(running: System, log: StatementLog, tag: str, *, seconds: float,
              count: int = 10 ** 9) -> Counted:
    """As many messages as are answered while 32 are under way all the time."""
    log.cut()
    time.sleep(QUIET_SECONDS)
    idle = log.cut()
    sent = module(running.environment, "load", running.web_port, UNDER_WAY, seconds, tag,
                  "--peer", running.peer_port, "--count", count)
    settle(running)
    return Counted([log.cut()], [idle], sent["sent"])


def idle(running: System, *, seconds: float) -> tuple[dict[str, float], float]:
    """(statements a second of each process, per cent of one core that all take together)."""
    settle(running)
    named = clients.names(running.url, running.head)
    everybody = processes.family(running.head) + processes.postgres(running.url)
    before, started = processes.cpu_seconds(everybody), time.monotonic()
    time.sleep(seconds)
    used = processes.cpu_seconds(everybody) - before  # without the log, which costs as well
    took = time.monotonic() - started
    with StatementLog(running.url) as log:
        log.cut()
        time.sleep(seconds)
        window = log.cut()
    rates = Counter(named.get(one.backend, one.application) for one in window.statements)
    return ({name: count / window.seconds for name, count in sorted(rates.items())},
            used / took * 100)


def show(running: System, counted: Counted) -> list[str]:
    """The statements of the last lone message in order, with their processes; a `~` marks what
    also occurs in an idle system.
    """
    named = clients.names(running.url, running.head)
    idle_texts = sum((window.texts() for window in counted.idle), Counter())
    idle_seconds = sum(window.seconds for window in counted.idle)
    window, transactions = counted.busy[-1], {}
    found = [f"{len(window.statements)} statements, {window.transactions} transactions in "
             f"{window.seconds:.2f} s; process, session, transaction, statement"]
    for one in window.statements:
        number = transactions.setdefault((one.backend, one.transaction), len(transactions) + 1)
        mark = "~" if one.text in idle_texts else " "
        found.append(f"{mark} {named.get(one.backend, one.application):<10} {one.backend:>6} "
                     f"T{number:<3} {one.text[:150]}")
    found.append(f"idle, times a second (in {idle_seconds:.1f} s):")
    found += [f"  {count / idle_seconds:6.2f}  {text[:150]}"
              for text, count in idle_texts.most_common()]
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
