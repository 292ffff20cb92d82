"""How far a table may be read forward: up to this id nothing can appear any more.

An id is drawn before its transaction commits, so a lower one may become visible after a higher
one. Who draws from a sequence holds a lock on it until the transaction ends, and that lock is
seen by all: it tells who is still under way (PostgreSQL 15, commands/sequence.c,
lock_and_open_sequence).
"""

import time

from django.db import connection, models

PATIENCE_SECONDS = 0.25  # how long transactions that are under way are waited for
PAUSE_SECONDS = 0.005

# The list is asked for after the newest id: it is a subquery of the row that holds the id.
_LOOK = """
SELECT coalesce(s.top, 0), ARRAY(
    SELECT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = s.sequence AND l.mode = 'RowExclusiveLock'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.pid IS DISTINCT FROM pg_backend_pid() AND coalesce(s.top, 0) >= 0)
FROM (SELECT name::regclass::oid AS sequence, pg_sequence_last_value(name::regclass) AS top
      FROM (SELECT pg_get_serial_sequence(%s, %s) AS name) n OFFSET 0) s
"""
_BEGAN = """
SELECT min(a.xact_start), bool_and(a.xact_start IS NOT NULL)
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY(%s)
"""
_settled: dict[str, int] = {}  # table -> what was found settled before; that stays so


def settled(model: type[models.Model]) -> int:
    """The highest id of the table up to which all rows there will ever be can be seen.

    Waits a moment for transactions that have drawn an id. While one stays open, the answer is
    the newest row known to be older: by a column of the model that `ids_drawn_before` names (the
    database's clock after the id was drawn), or because this process asked before. Else 0.
    """
    table, column = model._meta.db_table, model._meta.pk.column
    top, under_way = _look(table, column)
    end = time.monotonic() + PATIENCE_SECONDS
    while under_way and time.monotonic() < end:
        time.sleep(PAUSE_SECONDS)
        under_way &= _look(table, column)[1]
    if not under_way:
        _settled[table] = top
    elif _settled.get(table, 0) > top:
        _settled[table] = 0  # it was another database's
    return max(_settled.get(table, 0), _older_than(under_way, model, top))


def _older_than(under_way: set[str], model: type[models.Model], top: int) -> int:
    """The newest id, up to `top`, that was drawn before all of these transactions began."""
    column = getattr(model, "ids_drawn_before", None)
    if not under_way or column is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_BEGAN, [list(under_way)])
        began, is_complete = cursor.fetchone()
    if not is_complete:  # one has ended just now, or belongs to another role
        return 0
    older = model._base_manager.filter(pk__lte=top, **{f"{column}__lt": began})
    return older.order_by("-pk").values_list("pk", flat=True).first() or 0


def _look(table: str, column: str) -> tuple[int, set[str]]:
    """The newest id drawn, and then the transactions that have drawn one and are open."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [table, column])
        top, under_way = cursor.fetchone()
    return top, set(under_way)
