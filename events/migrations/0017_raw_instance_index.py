"""The deliveries of one instance, newest first. One partition at a time, without blocking writers."""

from django.db import migrations

TABLE, INDEX = "omni_raw_payloads", "raw_instance_newest"
_PARTS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"


def add(apps, schema_editor):
    """An index of the table as a whole becomes valid when every partition has one attached."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {INDEX} ON ONLY {TABLE} (instance_id, id DESC)")
        cursor.execute(_PARTS, [TABLE])
        for (part,) in cursor.fetchall():
            name = f"{part}_instance_newest"
            cursor.execute("SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass "
                           "AND inhrelid IN (SELECT indexrelid FROM pg_index "
                           "WHERE indrelid = %s::regclass)", [INDEX, part])
            if cursor.fetchone():
                continue
            cursor.execute(f"DROP INDEX IF EXISTS {name}")  # of an attempt that was broken off
            cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {part} (instance_id, id DESC)")
            cursor.execute(f"ALTER INDEX {INDEX} ATTACH PARTITION {name}")


def remove(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {INDEX}")


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('events', '0016_list_indexes'),
    ]

    operations = [
        migrations.RunPython(add, remove),
    ]
