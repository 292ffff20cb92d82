"""`python -m tests.benchmarks.run [--only ROW...] [--seconds S] [--runs N] [--show]`.

Prints what the engine costs and does beside what it must reach; a miss is shown as a miss. About
seven minutes. Everything shares this machine's cores, the senders and the peer too: ratios within
one run mean more than single figures; counts do not depend on the machine. `--show` lists the
statements of a lone message in order.
"""

import argparse
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable

from tests.benchmarks import counting, processes, rates, system, table
from tests.benchmarks.statements import StatementLog
from tests.benchmarks.system import System

Results = dict[str, tuple[float, ...]]
Measuring = Callable[[System, float, str], Results]


def lone(running: System, seconds: float, tag: str) -> Results:
    with StatementLog(running.url) as log:
        return {"lone": counting.lone(running, log, tag).per_message()}


def under_way(running: System, seconds: float, tag: str) -> Results:
    with StatementLog(running.url) as log:
        return {"under_way": counting.under_way(running, log, tag,
                                                seconds=seconds / 2).per_message()}


def echo(running: System, seconds: float, tag: str) -> Results:
    with StatementLog(running.url) as log:
        return {"echo": counting.echoes(running, log, tag).per_message()}


def at_rest(running: System, seconds: float, tag: str) -> Results:
    cpu = counting.idle_cpu(running, seconds=seconds)
    with StatementLog(running.url) as log:
        per_process = counting.idle(running, log, seconds=seconds)
    pids = processes.family(running.head) + processes.postgres(running.url)
    return {"idle": (max(per_process.values(), default=0), cpu),
            "memory": (processes.memory_mb(pids),)}


COUNTS: list[tuple[tuple[str, ...], Measuring]] = [
    (("lone",), lone), (("under_way",), under_way), (("echo",), echo),
    (("idle", "memory"), at_rest)]
RATES: list[tuple[tuple[str, ...], Measuring]] = [
    (("cpu", "outbound"), rates.at_twenty), (("start",), rates.at_fifty),
    (("answered",), rates.answered), (("guarded",), rates.guarded), (("pure",), rates.pure)]
DOOR: list[tuple[tuple[str, ...], Measuring]] = [(("door",), rates.door)]


def measure(running: System, wanted: list[Measuring], results: dict[str, list[tuple[float, ...]]],
            *, seconds: float, runs: int) -> None:
    for number in range(runs):
        for measuring in wanted:
            tag = f"{measuring.__name__}-{number}-{time.time_ns()}-"
            for key, values in measuring(running, seconds, tag).items():
                results[key].append(values)


def show(running: System) -> None:
    with StatementLog(running.url) as log:
        counted = counting.lone(running, log, f"show-{time.time_ns()}-", messages=3)
        per_process = counting.idle(running, log, seconds=5)
    print("\n".join(counting.show(running, counted)))
    print("idle, statements a second of each process: "
          + ", ".join(f"{name} {rate:.1f}" for name, rate in per_process.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=table.KEYS, metavar="ROW",
                        help=f"of {', '.join(table.KEYS)}")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each measurement")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--show", action="store_true", help="statements of a lone message")
    options = parser.parse_args()

    def chosen(group: list[tuple[tuple[str, ...], Measuring]]) -> list[Measuring]:
        if options.only is None:
            return [] if options.show else [measuring for _, measuring in group]
        return [measuring for keys, measuring in group if set(keys) & set(options.only)]

    results: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    with system.database() as environment:
        if options.show or chosen(COUNTS):
            with system.running(environment) as running:
                counting.warm(running)
                if options.show:
                    show(running)
                measure(running, chosen(COUNTS), results, seconds=options.seconds,
                        runs=options.runs)
        if chosen(RATES):
            with system.running(environment, settings=system.NO_LIMITS) as running:
                rates.prepare(running)
                measure(running, chosen(RATES), results, seconds=options.seconds,
                        runs=options.runs)
        if chosen(DOOR):  # last: what it stores is never routed
            with system.running(environment, workers=False) as running:
                measure(running, chosen(DOOR), results, seconds=options.seconds,
                        runs=options.runs)
    if results:
        print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, medians of "
              f"{options.runs} runs of {options.seconds:g} s")
        print("\n".join(table.lines(results)))


if __name__ == "__main__":
    main()
