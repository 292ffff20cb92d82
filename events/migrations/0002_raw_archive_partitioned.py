"""The raw archive, partitioned by month, with a default partition."""

from django.db import migrations

from events.store.partitions import CREATE_TABLE, DROP_TABLE, ensure


def make_first_months(apps, schema_editor):
    ensure()


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]

    operations = [
        migrations.RunSQL(CREATE_TABLE, DROP_TABLE),
        migrations.RunPython(make_first_months, migrations.RunPython.noop),
    ]
