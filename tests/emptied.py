"""Empties the database after a test that really committed: only rows, and only those of tests.

Django truncates every table and makes the content types and permissions anew, which costs more than
most tests do, locks out whoever still reads, and gives them other numbers than a running server
remembers. Here rows are deleted, in one round trip, without triggers: the audit log keeps its rows
from everybody else. No trigger says that the configuration changed either, so this does. Needs a
superuser of the (throw-away) database.
"""

from functools import cache
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from omni.config.revision import ConfigRevision

KEPT = {model._meta.db_table for model in (
    ConfigRevision, ContentType, Permission, MigrationRecorder.Migration)}


def empty(_command: Any, *, database: str, **_options: Any) -> None:
    """Stands for the `flush` command, which Django calls after such a test."""
    with connections[database].cursor() as cursor:
        cursor.execute("BEGIN; SET LOCAL session_replication_role = replica;"
                       f"{_deletes(database)}"
                       "UPDATE omni_config_revision SET number = number + 1; COMMIT")


@cache
def _deletes(database: str) -> str:
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') "
                       "AND NOT relispartition AND relnamespace = 'public'::regnamespace")
        names = {name for name, in cursor.fetchall()} - KEPT
    return " ".join(f'DELETE FROM "{name}";' for name in sorted(names))
