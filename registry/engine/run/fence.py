"""The fence around a run: a change that names the claim's token, refused after a take-over."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from registry.engine.work import queue

OWNED = "id = %s::bigint AND token = %s::int AND state = 'running'"
# A run that leaves its place holds the line before its row: whoever cancels it does so, too.
LEAVES = (f"{OWNED} AND (slot_key IS NULL OR "
          "pg_advisory_xact_lock(hashtextextended(slot_key, 0)) IS NOT NULL)")


def change(claim: queue.Claim, columns: str, values: Sequence[Any]) -> None:
    """Change columns of the run in the transaction at hand; its line is held from then on. Raises
    Fenced when it is not ours.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE omni_runs SET {columns} WHERE {LEAVES}",
                       [*values, claim.run_id, claim.token])
        if cursor.rowcount != 1:
            raise taken_over(claim)


def taken_over(claim: queue.Claim) -> queue.Fenced:
    return queue.Fenced(f"run {claim.run_id} was taken over (token {claim.token} is old)")
