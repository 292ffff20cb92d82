"""Hot statements run on the thread's own connection and transaction, prepared once."""

import time

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from omni import statements

pytestmark = pytest.mark.django_db


def test_rows_come_back_with_their_types():
    assert statements.execute(
        "SELECT %s::bigint, %s::text, %s::bigint[], %s::jsonb->>'a'",
        [1, "ä", [1, 2**40], '{"a": "b"}']) == [(1, "ä", [1, 2**40], "b")]
    assert statements.execute("SET LOCAL work_mem = '4MB'") == []


def test_one_statement_is_one_plan_whatever_the_numbers_are():
    for number in (1, 2**15, 2**31, 2**40, -1):
        statements.execute("SELECT 7 + %s::bigint AS one_plan", [number])

    assert statements.execute("SELECT count(*) FROM pg_prepared_statements "
                              "WHERE statement LIKE %s::text", ["SELECT 7 +%one_plan"]) == [(1,)]


def test_what_is_rolled_back_is_gone():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        statements.execute("CREATE TEMPORARY TABLE gone (id int)")
        raise ZeroDivisionError

    assert statements.execute("SELECT to_regclass('gone')") == [(None,)]


def test_errors_are_those_of_django():
    with pytest.raises(DataError), transaction.atomic():
        statements.execute("SELECT %s::text::int", ["x"])
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.execute("INSERT INTO omni_runs DEFAULT VALUES")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_plan_that_was_made_for_a_few_rows_is_made_anew_when_there_are_many(monkeypatch):
    def look():
        statements.execute("SELECT id FROM few WHERE id = %s::bigint", [1])

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("CREATE TEMPORARY TABLE few (id bigint PRIMARY KEY)")
        cursor.execute("INSERT INTO few SELECT generate_series(1, 3)")
        cursor.execute("ANALYZE few")
        look()
        cursor.execute("INSERT INTO few SELECT generate_series(4, 100000)")
        before = _plan(cursor)
        later = time.monotonic() + statements.LONGEST_SECONDS
        monkeypatch.setattr(statements.time, "monotonic", lambda: later)
        look()

        assert (before, _plan(cursor)) == ("Seq", "Index")


def _plan(cursor):
    """How the rows of `few` are found by the plan that is kept."""
    cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM few%'")
    cursor.execute(f"EXPLAIN EXECUTE {cursor.fetchone()[0]}(1)")
    return cursor.fetchone()[0].split()[0]
