"""What PostgreSQL really does for a statement."""

from collections.abc import Iterator
from typing import Any

from django.db import connection


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def wasted(statement: str) -> tuple[int, list[tuple]]:
    """(rows a statement looked at in vain, the kinds of its nodes)."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement)
        plan = cursor.fetchone()[0][0]["Plan"]
    rows = sum(node.get(name, 0) * node["Actual Loops"] for node in nodes(plan)
               for name in ("Rows Removed by Filter", "Rows Removed by Join Filter",
                            "Rows Removed by Index Recheck"))
    return rows, [(node["Node Type"], node.get("Relation Name"), node.get("Index Name"),
                   node["Actual Rows"]) for node in nodes(plan)]
