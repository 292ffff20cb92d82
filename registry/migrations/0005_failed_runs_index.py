"""The runs that failed are counted and listed without looking at the others."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the index is built while runs go on
    dependencies = [("registry", "0004_waits_and_gates"), ("events", "0012_put_aside")]

    operations = [
        AddIndexConcurrently("run", models.Index(
            condition=models.Q(("state__in", ("failed", "dead"))), fields=["id"], name="run_failed")),
    ]
