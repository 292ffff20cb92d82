"""What the gates say to one more event."""

from datetime import UTC, datetime, timedelta

import pytest

from registry.engine.route.gatekeeping import Facts, Live, Wish, decide
from registry.language.definition import Concurrency, Debounce, Once, Throttle

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def at(**later):
    return NOON + timedelta(**later)


def wish(number=1, **gates):
    """One event at gates that all have the key k."""
    keys = {"once": "once_key", "debounce": "burst_key", "throttle": "throttle_key",
            "concurrency": "slot_key"}
    return Wish(run=f"r{number}", event_id=number, **gates,
                **{keys[name]: "k" for name in gates})


def test_event_without_gates_opens_a_run_at_once():
    said = decide(wish(), Facts(), NOON)

    assert (said.kind, said.due, said.waits, said.cancels) == ("open", NOON, False, [])


@pytest.mark.parametrize(("per", "later", "kind"), [
    (None, {"days": 9000}, "refuse"), (3600, {"seconds": 3599}, "refuse"),
    (3600, {"seconds": 3600}, "open")])
def test_once_lets_a_key_pass_again_after_its_time(per, later, kind):
    facts, once = Facts(), Once(None, per=per)
    decide(wish(1, once=once), facts, NOON)

    said = decide(wish(2, once=once), facts, at(**later))

    assert said.kind == kind and (kind == "open" or said.result == "once")


def test_burst_becomes_one_run_that_starts_when_it_is_quiet():
    facts, debounce = Facts(), Debounce(quiet=6, max=45)

    first = decide(wish(1, debounce=debounce), facts, NOON)
    second = decide(wish(2, debounce=debounce), facts, at(seconds=5))

    assert (first.kind, first.waits, first.due) == ("open", True, at(seconds=6))
    assert (second.kind, second.run, second.due) == ("join", "r1", at(seconds=11))
    assert second.batch == [1, 2]


def test_burst_ends_at_its_maximum_and_keeps_the_newest_events():
    facts, debounce = Facts(), Debounce(quiet=6, max=12, collect=3)

    said = [decide(wish(n, debounce=debounce), facts, at(seconds=3 * n)) for n in range(5)]

    assert [one.due for one in said] == [at(seconds=6), at(seconds=9), at(seconds=12),
                                         at(seconds=12), at(seconds=12)]
    assert said[-1].batch == [2, 3, 4]


@pytest.mark.parametrize(("mode", "kinds"), [("drop", ["open", "open", "refuse", "open"]),
                                             ("delay", ["open"] * 4)])
def test_throttle_lets_so_many_pass_in_its_time(mode, kinds):
    facts, throttle = Facts(), Throttle(limit=2, per=60, mode=mode)

    said = [decide(wish(n, throttle=throttle), facts, at(seconds=s))
            for n, s in enumerate([0, 10, 20, 61])]

    assert [one.kind for one in said] == kinds
    if mode == "delay":
        assert [one.due for one in said] == [NOON, at(seconds=10), at(seconds=60), at(seconds=70)]


def test_throttle_that_delays_keeps_its_rate_over_any_backlog():
    facts, throttle = Facts(), Throttle(limit=3, per=60, mode="delay")

    due = [decide(wish(n, throttle=throttle), facts, NOON).due for n in range(30)]

    assert due == sorted(due)
    assert all(due[n + 3] - due[n] >= timedelta(seconds=60) for n in range(27))


def test_burst_is_counted_once_and_never_starts_before_its_throttle():
    facts = Facts()
    gates = {"debounce": Debounce(quiet=5), "throttle": Throttle(limit=1, per=60, mode="delay")}
    facts.throttled["k"] = [NOON]

    first = decide(wish(1, **gates), facts, at(seconds=10))
    second = decide(wish(2, **gates), facts, at(seconds=12))

    assert (first.due, second.due, second.kind) == (at(seconds=60), at(seconds=60), "join")
    assert len(facts.throttled["k"]) == 2


@pytest.mark.parametrize(("gate", "live", "kind", "result"), [
    (Concurrency(1, mode="queue"), ["running"], "open", ""),
    (Concurrency(1, mode="skip"), ["running"], "refuse", "busy"),
    (Concurrency(1, mode="skip"), ["waiting"], "refuse", "busy"),
    (Concurrency(2, mode="skip"), ["running"], "open", ""),
    (Concurrency(1, mode="queue", max_queue=1), ["running"], "open", ""),
    (Concurrency(1, mode="queue", max_queue=1), ["running", "queued"], "refuse", "queue_full"),
    (Concurrency(1, mode="queue", max_queue=0), [], "open", ""),
    (Concurrency(1, mode="queue", max_queue=0), ["running"], "refuse", "queue_full")])
def test_concurrency_refuses_what_does_not_fit(gate, live, kind, result):
    facts = Facts(slots={"k": [Live(n, state) for n, state in enumerate(live)]})

    said = decide(wish(9, concurrency=gate), facts, NOON)

    assert (said.kind, said.result) == (kind, result)


@pytest.mark.parametrize(("limit", "canceled"), [(1, [1, 2]), (2, [1]), (3, [])])
def test_restart_ends_the_oldest_so_that_the_new_one_fits(limit, canceled):
    facts = Facts(slots={"k": [Live(1, "running"), Live(2, "queued")]})

    said = decide(wish(9, concurrency=Concurrency(limit, mode="restart")), facts, NOON)

    assert said.cancels == canceled
    kept = [n for n in (1, 2) if n not in canceled]
    assert [one.run for one in facts.slots["k"]] == [*kept, "r9"]


def test_refused_event_leaves_no_trace_in_later_gates():
    facts = Facts(slots={"k": [Live(1, "running")]})
    gates = {"once": Once(None), "throttle": Throttle(limit=1, per=60, mode="drop"),
             "concurrency": Concurrency(1, mode="skip")}

    said = decide(wish(9, **gates), facts, NOON)

    assert said.result == "busy"
    assert facts.once == {} and facts.throttled == {}
