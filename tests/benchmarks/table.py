"""The rows that are measured, what each must reach, and how a run of them is printed."""

import math
import statistics
from typing import NamedTuple

NO_GATE = (math.nan,)


class Row(NamedTuple):
    """One measure of one or more numbers. more: whether more is better; of_loop: whether it is
    set beside the insert loop of the same run.
    """

    key: str
    measure: str
    unit: str
    gate: tuple[float, ...]
    aim: tuple[float, ...]
    more: bool = False
    of_loop: bool = False


ROWS = [
    Row("lone", "lone answered message: statements / transactions", "", (18, 8), (12, 5)),
    Row("under_way", "the same per message, 32 under way", "", (5, 1.5), (2.5, 0.5)),
    Row("echo", "own echo: statements / transactions", "", NO_GATE * 2, NO_GATE * 2),
    Row("cpu", "CPU per answered message, workers + PostgreSQL, at 20/s", "ms", (16,), (8,)),
    Row("answered", "answered messages, 64 under way", "/s", (200,), (400,), True, True),
    Row("guarded", "runs of guard, transform, one HTTP call", "/s", (500,), (1000,), True, True),
    Row("pure", "runs of five pure recorded steps", "/s", (1000,), (2500,), True, True),
    Row("outbound", "webhook to outbound call at 20/s: p50 / p99", "ms", (12, 60), (6, 20)),
    Row("start", "event stored to run started at 50/s: p50 / p99", "ms", (5, 25), (3, 10)),
    Row("door", "door at 64 connections, of the best insert loop", "x", (0.7,), (1.2,), True),
    Row("idle", "idle: statements/s of the busiest process / CPU in all (%)", "", (2, 2), (1, 1)),
    Row("memory", "memory at rest, all processes and PostgreSQL (PSS)", "MB", (550,), (400,)),
]
KEYS = [row.key for row in ROWS]


def verdict(row: Row, values: tuple[float, ...]) -> str:
    """`aim`, `gate` or `MISS`; what its worst number deserves. Empty without a gate."""
    if math.isnan(row.gate[0]):
        return ""

    def reached(limits: tuple[float, ...]) -> bool:
        return all(value >= limit if row.more else value <= limit
                   for value, limit in zip(values, limits, strict=True))
    return "aim" if reached(row.aim) else "gate" if reached(row.gate) else "MISS"


def lines(results: dict[str, list[tuple[float, ...]]]) -> list[str]:
    """The table: of each row its gate, aim, the median of the runs, and each run.

    results: key -> one tuple of numbers per run; `loop`: rows a second of the insert loop.
    """
    loop = statistics.median([one[0] for one in results["loop"]]) if "loop" in results else None
    head = f"{'measure':<60} {'gate':>10} {'aim':>10} {'median':>14}      runs"
    found = [head, "-" * len(head)]
    for row in ROWS:
        if not (runs := results.get(row.key)):
            continue
        median = tuple(statistics.median(numbers) for numbers in zip(*runs, strict=True))
        beside = (f"  ({median[0] / loop:.3f} of the loop)" if row.of_loop and loop else "")
        found.append(
            f"{row.measure:<60} {_shown(row.gate):>10} {_shown(row.aim):>10} "
            f"{_shown(median, row.unit):>14} {verdict(row, median):<4} "
            f"{'  '.join(_shown(one) for one in runs)}{beside}")
    if loop:
        found.append(f"single-row insert loop, best of its connections: {loop:.0f} rows/s")
    return found


def _shown(numbers: tuple[float, ...], unit: str = "") -> str:
    texts = ["-" if math.isnan(number) else f"{number:.0f}" if number >= 100
             else f"{number:.1f}".removesuffix(".0") if number >= 10
             else f"{number:.2f}".rstrip("0").removesuffix(".") for number in numbers]
    if texts and set(texts) == {"-"}:
        return "-"
    return " / ".join(texts) + (f" {unit}" if unit else "")
