"""A contact that was merged points to the row that was kept, also when that was merged later."""

from django.db import migrations

_SHORTEN = """
UPDATE omni_contacts c SET merged_into_id = k.merged_into_id FROM omni_contacts k
WHERE c.merged_into_id = k.id AND k.merged_into_id IS NOT NULL AND k.merged_into_id <> c.id
"""
_MOST = 20  # each pass halves a chain; two contacts merged into each other stay as they are


def shorten(apps, schema_editor):
    for _ in range(_MOST):
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(_SHORTEN)
            if not cursor.rowcount:
                return


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0010_outbox_echo_once'),
    ]

    operations = [migrations.RunPython(shorten, migrations.RunPython.noop)]
