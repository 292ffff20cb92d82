"""How many calls may be under way to one host at once: no host holds all threads of a process.

A host (name and port) gets the share OMNI_HOST_SHARE of OMNI_WORKER_THREADS; `places` says how
accounts share it. A step that finds no place is put off (`Held`): its run keeps its place in line,
no attempt is counted, and its thread is free. Elsewhere (API, admin, trials) the call is refused
(`RateLimited`). Where a place will be free in a moment the thread waits for it. Counted per
process, calls of steps and all others apart.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from django.conf import settings

from connections.http.places import Account, Places
from omni.errors import Held, RateLimited

STEP_PATIENCE = 0.25  # seconds a step's thread waits for a place, where calls are quicker than that
PATIENCE = 2.0  # the same, of everybody else
_MOST_HOSTS = 1_000  # remembered; those with calls under way always are
Host = tuple[str, int]  # name and port


@dataclass(slots=True)
class _Step:
    """What a step has asked for. repeatable: to do it again from its start changes nothing.

    reserved: places it was given and has not used yet, with the moment.
    """

    account: int
    repeatable: bool
    has_asked: bool = False
    reserved: dict[Host, float] = field(default_factory=dict)


_step: ContextVar[_Step | None] = ContextVar("step", default=None)
_uncounted: ContextVar[bool] = ContextVar("uncounted", default=False)
_changed = threading.Condition()
_hosts: dict[tuple[bool, Host], Places] = {}  # of steps or of others, and where


def forget() -> None:
    """Count from the start."""
    with _changed:
        _hosts.clear()


def _begin_anew() -> None:
    """In a process that was forked: calls and locks of its parent are not its own."""
    global _changed
    _changed = threading.Condition()
    _hosts.clear()


os.register_at_fork(after_in_child=_begin_anew)


@contextmanager
def step_of(account: int, *, repeatable: bool) -> Iterator[None]:
    """Calls of this thread inside are those of a step of this account's run.

    repeatable: it may be put off between two calls, not only before the first.
    """
    step = _Step(account, repeatable)
    before = _step.set(step)
    try:
        yield
    finally:
        _step.reset(before)
        for host, begun in step.reserved.items():
            _give_back((True, host), account, begun)


@contextmanager
def uncounted() -> Iterator[None]:
    """For marks of typing: short, on threads of their own, and they take nobody's place."""
    before = _uncounted.set(True)
    try:
        yield
    finally:
        _uncounted.reset(before)


def account_at_work() -> Account:
    """The account whose step this thread does, None outside of one."""
    step = _step.get()
    return step.account if step is not None else None


def reserve(host: Host) -> None:
    """Take a place for the step's next call to this host, before the attempt is written down.

    Raises Held when there is none. Outside of a step nothing happens.
    """
    step = _step.get()
    if step is None or host in step.reserved:
        return
    begun, wait = _take((True, host), step.account, patience=STEP_PATIENCE)
    if begun is None:
        raise Held(_full(host), retry_after=wait)
    step.reserved[host] = begun


@contextmanager
def place(host: Host, *, account: Account, timeout: float) -> Iterator[None]:
    """A place for one call. account: whose call it is outside of a step. timeout: seconds it has.

    Raises Held in a step that may be done again from its start, else RateLimited.
    """
    step = _step.get()
    if step is None and _uncounted.get():
        yield
        return
    key, whose = (step is not None, host), step.account if step is not None else account
    begun = step.reserved.pop(host, None) if step is not None else None
    if begun is None:
        may_hold = step is not None and (step.repeatable or not step.has_asked)
        begun, wait = _take(key, whose, patience=min(STEP_PATIENCE if may_hold else PATIENCE,
                                                     timeout / 4))  # most of it is the call's
        if begun is None:
            raise (Held if may_hold else RateLimited)(_full(host), retry_after=wait)
    if step is not None:
        step.has_asked = True
    try:
        yield
    finally:
        _give_back(key, whose, begun)


def _most() -> int:
    return max(1, int(settings.OMNI_WORKER_THREADS * settings.OMNI_HOST_SHARE))


def _take(key: tuple[bool, Host], account: Account, *,
          patience: float) -> tuple[float | None, float]:
    """When the call began; else None, and the seconds after which to ask again."""
    most, now = _most(), time.monotonic()
    with _changed:
        places = _places(key)
        if places.take(account, most=most, now=now):
            return now, 0.0
        begun = None
        if places.seconds(now) <= patience:
            begun = _wait(places, account, most=most, patience=patience)
        if begun is not None:
            return begun, 0.0
        wait = places.put_off(account, most=most, now=time.monotonic())
        return None, wait * random.uniform(0.75, 1.25)


def _wait(places: Places, account: Account, *, most: int, patience: float) -> float | None:
    """When the call began; None when it found no place, or calls got too slow to wait for."""
    end, ticket = time.monotonic() + patience, object()
    places.line_up(account, ticket, until=end)
    try:
        while (now := time.monotonic()) < end and places.seconds(now) <= patience:
            if places.take(account, most=most, now=now, ticket=ticket):
                return now
            _changed.wait(end - now)
        return None
    finally:
        places.leave_line(account, ticket)
        _changed.notify_all()  # the next one is first in line now


def _give_back(key: tuple[bool, Host], account: Account, begun: float) -> None:
    with _changed:
        _places(key).give_back(account, begun, now=time.monotonic())
        _changed.notify_all()


def _places(key: tuple[bool, Host]) -> Places:
    if key not in _hosts and len(_hosts) >= _MOST_HOSTS:
        now = time.monotonic()
        for idle in [known for known, places in _hosts.items() if places.is_idle(now)]:
            del _hosts[idle]
    return _hosts.setdefault(key, Places())


def _full(host: Host) -> str:
    name = f"[{host[0]}]" if ":" in host[0] else host[0]
    return (f"as many calls to {name}:{host[1]} are under way as may be at once "
            "(OMNI_HOST_SHARE); this one waits for its turn")
