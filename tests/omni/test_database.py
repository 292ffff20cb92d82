"""How this installation speaks to its database."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db


def test_statement_that_repeats_is_planned_once():
    with connection.cursor() as cursor:
        for number in range(5):
            cursor.execute("SELECT %s::int + 41 AS repeated", [number])
        cursor.execute("SELECT count(*) FROM pg_prepared_statements "
                       "WHERE statement LIKE '%%AS repeated%%' AND parameter_types <> '{}'")

        assert cursor.fetchone()[0] >= 1
