"""Keeps a handful of child processes and the embedded database running until told to stop.

One log stream, a restart with backoff for whatever dies, a clean end for all of it.
Unix only; Windows is not supported (process groups, death signals, flock).
"""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import TextIO

from omni.embedded.server import EmbeddedPostgres
from omni.errors import OmniError
from omni.processes.children import die_with_parent, end_group, has_exited
from omni.processes.log_stream import LogStream

FIRST_DELAY = 0.5  # seconds before the first restart; doubles
LONGEST_DELAY = 15.0
STEADY_SECONDS = 30.0  # up for so long: the next restart is a first one again
STOP_SECONDS = 20.0  # after SIGTERM, before SIGKILL
DATABASE_STOP_SECONDS = 4.0
PING_EVERY = 10.0  # seconds between two checks of a database that did not exit
SILENT_PINGS = 3  # unanswered in a row: the database hangs and is started again
TICK = 0.5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class Child:
    """A program to keep running. once: it may end by itself with exit code 0."""

    name: str
    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    once: bool = False


@dataclass
class Backoff:
    """When a thing that ended may start again."""

    failures: int = 0
    started: float = 0.0  # monotonic seconds
    due: float = 0.0  # monotonic seconds

    def ended(self, now: float) -> float:
        """Note an end; returns the seconds to wait."""
        self.failures = 0 if now - self.started >= STEADY_SECONDS else self.failures
        delay = min(FIRST_DELAY * 2 ** self.failures, LONGEST_DELAY)
        self.failures += 1
        self.due = now + delay
        return delay


@dataclass
class _Kept:
    """A child with its present process. finished: ended as it should; not started again."""

    child: Child
    process: subprocess.Popen | None = None
    backoff: Backoff = field(default_factory=Backoff)
    finished: bool = False


class Supervisor:
    """Run `children` until SIGINT or SIGTERM.

    database: started already; started again when it dies, stopped last.
    ready: asked twice a second until it returns True, then never again; must answer quickly.
    Call `run` from the main thread.
    """

    def __init__(self, children: Iterable[Child], *, database: EmbeddedPostgres | None = None,
                 out: TextIO = sys.stdout, ready: Callable[[], bool] | None = None) -> None:
        self._kept = [_Kept(child) for child in children]
        self._database = database
        self._database_backoff = Backoff()
        self._silent_pings = 0
        self._next_ping = 0.0
        self.ready = ready
        self._stops = 0  # how often somebody asked us to stop
        self._starting_database = False
        names = [kept.child.name for kept in self._kept]
        self.log = LogStream(out, names=[*names, "omni"])
        self._wake_read, self._wake_write = os.pipe()

    def say(self, text: str) -> None:
        """Write a line of our own."""
        self.log.write("omni", text)

    def run(self) -> None:
        """Start everything, keep it running, return when all of it has stopped."""
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self.log.selector.register(self._wake_read, selectors.EVENT_READ, None)
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS
                  if not (number == signal.SIGHUP and _is_ignored(number))}  # nohup
        wakeup_before = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        now = self._next_ping = monotonic()
        self._database_backoff.started = now
        try:
            while not self._stops:
                self._watch_database()
                for kept in self._kept:
                    self._watch(kept)
                if self.ready and self.ready():
                    self.ready = None
                self._pump(TICK)
        finally:
            self._stop()
            signal.set_wakeup_fd(wakeup_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            self.log.selector.close()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGCHLD:
            return  # its only use is to end the waiting in _pump
        self._stops += 1
        if self._starting_database:
            raise KeyboardInterrupt

    def _pump(self, seconds: float) -> None:
        """Pass the children's lines on until something happens, at most `seconds`."""
        for key, _events in self.log.selector.select(seconds):
            if key.data is None:
                os.read(self._wake_read, 4096)
            else:
                self.log.read(key)

    def _watch(self, kept: _Kept) -> None:
        now = monotonic()
        if kept.process is None:
            if not kept.finished and now >= kept.backoff.due:
                self._start(kept)
            return
        if not has_exited(kept.process):
            return
        code = self._bury(kept.process)
        kept.process = None
        if code == 0 and kept.child.once:
            kept.finished = True
            return
        delay = kept.backoff.ended(now)
        self.say(f"{kept.child.name} ended ({_spoken(code)}); starts again in {delay:g} s")

    def _start(self, kept: _Kept) -> None:
        child = kept.child
        kept.backoff.started = monotonic()
        try:
            kept.process = subprocess.Popen(
                child.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
                env={**os.environ, "PYTHONUNBUFFERED": "1", **child.env,
                     "OMNI_PROCESS": child.name})
        except OSError as exc:
            delay = kept.backoff.ended(monotonic())
            self.say(f"{child.name} could not start ({exc}); next try in {delay:g} s")
            return
        self.log.follow(child.name, kept.process)

    def _bury(self, process: subprocess.Popen) -> int:
        """End the process and whatever it started; returns its exit code."""
        end_group(process)
        self.log.finish(process)
        return process.wait()

    def _watch_database(self) -> None:
        database, backoff, now = self._database, self._database_backoff, monotonic()
        if database is None or now < backoff.due:
            return
        if not database.has_ended() and not self._hangs(database, now):
            return
        self.say("database ended; starting it again")
        backoff.ended(now)  # the try after this one waits
        backoff.started = now
        try:
            self._starting_database = True
            database.start()
            self.say("database is back")
        except OmniError as exc:
            self.say(f"database could not start: {exc}")
        except KeyboardInterrupt:
            pass  # counted in _stops
        finally:
            self._starting_database = False

    def _hangs(self, database: EmbeddedPostgres, now: float) -> bool:
        if now < self._next_ping:
            return False
        self._next_ping = now + PING_EVERY
        self._silent_pings = 0 if database.is_alive() else self._silent_pings + 1
        return self._silent_pings >= SILENT_PINGS

    def _stop(self) -> None:
        """SIGTERM to all, SIGKILL to what stays, the database last. A second signal hurries."""
        running = {kept.child.name: kept.process for kept in self._kept if kept.process}
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        asked, deadline = self._stops, monotonic() + STOP_SECONDS
        while running and monotonic() < deadline and self._stops == asked:
            for name in [name for name, process in running.items() if has_exited(process)]:
                self._bury(running.pop(name))
            if running:
                self._pump(0.1)
        for name, process in running.items():
            self.say(f"{name} did not stop in time and is ended by force")
            self._bury(process)
        if self._database is not None:
            self._database.stop(timeout=DATABASE_STOP_SECONDS)
        self.say("stopped")


def _is_ignored(number: int) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def _spoken(code: int) -> str:
    """`exit code 1`, or `signal SIGKILL` for the negative codes of `subprocess`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
