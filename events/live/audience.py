"""Who follows the feed, in an index by account and conversation: an event asks only those that
could want it, and nothing is read that nobody wants. Pure.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from events.live.subscriptions import Batch, Filter, Item, Signal, Subscription

_ALL = None  # as an account: every one


@dataclass(frozen=True, slots=True)
class Interest:
    """What somebody wants to read. Ids of accounts; None: of every one.

    rows: events with what they say. runs: runs with their steps.
    """

    rows: frozenset[int] | None = frozenset()
    runs: frozenset[int] | None = frozenset()

    def takes_row(self, instance_id: int) -> bool:
        return self.rows is None or instance_id in self.rows

    def covers_runs_of(self, other: "Interest") -> bool:
        return self.runs is None or (other.runs is not None and other.runs <= self.runs)

    @property
    def takes_runs(self) -> bool:
        return self.runs is None or bool(self.runs)


class Audience:
    """The subscriptions of a feed. Equal filters are asked once."""

    def __init__(self) -> None:
        self._members: dict[Filter, set[Subscription]] = {}
        self._index: dict[Hashable, dict[Filter, None]] = {}
        self._interest: Interest | None = Interest()

    def __iter__(self) -> Iterator[Subscription]:
        for members in self._members.values():
            yield from members

    def __bool__(self) -> bool:
        return bool(self._members)

    def add(self, subscription: Subscription) -> None:
        wanted = subscription.wanted
        if wanted not in self._members:
            self._members[wanted] = set()
            self._interest = None
            for key in _keys(wanted):
                self._index.setdefault(key, {})[wanted] = None
        self._members[wanted].add(subscription)

    def discard(self, subscription: Subscription) -> None:
        wanted = subscription.wanted
        members = self._members.get(wanted, set())
        members.discard(subscription)
        if members or wanted not in self._members:
            return
        del self._members[wanted]
        self._interest = None
        for key in _keys(wanted):
            del self._index[key][wanted]
            if not self._index[key]:
                del self._index[key]

    @property
    def interest(self) -> Interest:
        """The same object until somebody wants something else."""
        if self._interest is None:
            self._interest = Interest(
                rows=_accounts(self._members, lambda wanted: wanted.rows or wanted.conversation_id),
                runs=_accounts(self._members, lambda wanted: wanted.runs))
        return self._interest

    def hand_out(self, items: Sequence[Item], signals: Sequence[Signal] = (), *,
                 after: int) -> None:
        """Offer everybody their part; equal filters share one batch and its frame."""
        batches: dict[Filter, tuple[list[Item], list[Signal]]] = {}
        for item in items:
            for wanted in self._near(item.instance_id, item.conversation_ref,
                                     item.conversation_ids):
                if wanted.wants(item):
                    batches.setdefault(wanted, ([], []))[0].append(item)
        for signal in signals:
            for wanted in self._near(signal.instance_id, signal.to, ()):
                if wanted.wants_signal(signal):
                    batches.setdefault(wanted, ([], []))[1].append(signal)
        for wanted, (chosen, said) in batches.items():
            batch = Batch(after=after, wanted=wanted, items=chosen, signals=said)
            for subscription in self._members[wanted]:
                subscription.offer(batch)

    def _near(self, instance_id: int, ref: str,
              conversation_ids: Iterable[int]) -> Iterator[Filter]:
        """Filters that could want something of this place, each once."""
        for key in (("account", _ALL), ("account", instance_id), ("ref", _ALL, ref),
                    ("ref", instance_id, ref), *(("place", id) for id in conversation_ids)):
            yield from self._index.get(key, ())


def _keys(wanted: Filter) -> Iterator[Hashable]:
    """Where a filter stands in the index: by the narrowest thing it names."""
    accounts = (_ALL,) if wanted.instance_ids is None else wanted.instance_ids
    if wanted.conversation_id is not None:
        yield "place", wanted.conversation_id
    elif wanted.conversation_ref:
        yield from (("ref", account, wanted.conversation_ref) for account in accounts)
    else:
        yield from (("account", account) for account in accounts)


def _accounts(filters: Iterable[Filter],
              concerned: Callable[[Filter], Any]) -> frozenset[int] | None:
    """The accounts of the filters that are concerned; None as soon as one sees every account."""
    found: set[int] = set()
    for wanted in filters:
        if not concerned(wanted):
            continue
        if wanted.instance_ids is None:
            return None
        found |= wanted.instance_ids
    return frozenset(found)
