"""Hot statements run on the thread's own connection and transaction, prepared once."""

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
