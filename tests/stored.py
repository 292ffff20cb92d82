"""What the database holds, as one text: for claims that something stands nowhere in it."""

from django.db import connection

_TABLES = """
SELECT quote_ident(table_name) FROM information_schema.tables
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1
"""


def everything_stored() -> str:
    """Every column of every row of every table; bytes as the text they are, where they are."""
    texts = []
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM {table}")
            for row in cursor.fetchall():
                texts += [bytes(value).decode("utf-8", "replace")
                          if isinstance(value, bytes | memoryview) else str(value)
                          for value in row]
    return "\n".join(texts)
