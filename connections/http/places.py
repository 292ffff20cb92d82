"""The places of one host: which calls are under way, who was put off, who comes next. Pure.

Of a host's places one account gets two thirds; the rest is for accounts with no call there, so that
whatever one account does, or its servers do, another finds a place at a host they share. Where
several want more than there is, a free place goes to the account with the fewest calls.
"""

from dataclasses import dataclass, field

SOONEST, LATEST = 0.2, 5.0  # seconds until somebody who was put off asks again
_NEWEST = 0.2  # weight of the newest call in what a call usually takes
Account = int | None  # None: of no account


def own_share(most: int) -> int:
    """How many of a host's places one account may have: all but a third, but for a single one."""
    return most - max(1, most // 3) if most > 1 else most


@dataclass(slots=True)
class Places:
    """calls: when they began, by account. wanted: until when who was put off is waited for.

    lines: of each account the threads that wait for a place, by their tickets, the first first.
    usual: seconds a call takes. All moments are monotonic seconds.
    """

    calls: dict[Account, list[float]] = field(default_factory=dict)
    wanted: dict[Account, list[float]] = field(default_factory=dict)
    lines: dict[Account, list[object]] = field(default_factory=dict)
    usual: float = 0.0

    def take(self, account: Account, *, most: int, now: float, ticket: object = None) -> bool:
        """Begin a call, if there is room for it and no thread of the account is before this one.

        ticket: of a thread that waits in line.
        """
        self._forget_late(now)
        line = self.lines.get(account)
        if line and line[0] is not ticket:
            return False
        used, mine = sum(map(len, self.calls.values())), self._under_way(account)
        if used >= most or (mine and used >= own_share(most)):
            return False
        if any(self._under_way(other) < mine for other in self.wanted if other != account):
            return False
        self.calls.setdefault(account, []).append(now)
        if account in self.wanted:
            self.wanted[account].pop(0)
        return True

    def give_back(self, account: Account, begun: float, *, now: float) -> None:
        """End the call that began at this moment."""
        mine = self.calls.get(account, [])
        if begun in mine:
            mine.remove(begun)
            self.usual += (now - begun - self.usual) * _NEWEST
        if not mine:
            self.calls.pop(account, None)

    def seconds(self, now: float) -> float:
        """How long a call takes by what is known: what hangs counts for as long as it hangs."""
        ages = [now - begun for mine in self.calls.values() for begun in mine]
        return max(self.usual, sum(ages) / len(ages) if ages else 0.0)

    def line_up(self, account: Account, ticket: object, *, until: float) -> None:
        self.lines.setdefault(account, []).append(ticket)
        self.want(account, until)

    def leave_line(self, account: Account, ticket: object) -> None:
        self.lines[account].remove(ticket)
        if not self.lines[account]:
            del self.lines[account]

    def want(self, account: Account, until: float) -> None:
        """Nobody with more calls than this account comes first, until it has one or time is up."""
        self.wanted.setdefault(account, []).append(until)

    def put_off(self, account: Account, *, most: int, now: float) -> float:
        """Seconds after which to ask again: in turn behind those that were put off before."""
        before = len(self.wanted.get(account, ()))
        expected = self.seconds(now) * (before + 1) / own_share(most)
        wait = min(max(expected, SOONEST), LATEST)
        self.want(account, now + 1.25 * wait + 1.0)
        return wait

    def is_idle(self, now: float) -> bool:
        self._forget_late(now)
        return not self.calls and not self.wanted

    def _under_way(self, account: Account) -> int:
        return len(self.calls.get(account, ()))

    def _forget_late(self, now: float) -> None:
        for account, moments in list(self.wanted.items()):
            moments[:] = [moment for moment in moments if moment > now]
            if not moments:
                del self.wanted[account]
