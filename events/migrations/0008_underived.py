"""A table of the events whose derived rows are not up to date, for the workers to do again."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("events", "0007_one_contact_per_visitor")]

    operations = [
        migrations.CreateModel(
            name="Underived",
            fields=[
                ("event", models.OneToOneField(
                    on_delete=django.db.models.deletion.CASCADE, primary_key=True,
                    related_name="underived", serialize=False, to="events.event")),
                ("error", models.TextField()),
                ("tries", models.IntegerField(default=1)),
                ("next_try", models.DateTimeField()),
                ("since", models.DateTimeField()),
            ],
            options={"db_table": "omni_underived"},
        ),
    ]
