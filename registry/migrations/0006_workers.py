"""A row per worker process, and a state for runs that are in line."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_failed_runs_index")]

    operations = [
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("owner", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("until", models.DateTimeField()),
                ("looked_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "omni_workers"},
        ),
        migrations.AlterField(
            model_name="run", name="state",
            field=models.CharField(default="queued", max_length=8, choices=[
                (name, name) for name in (
                    "queued", "blocked", "running", "waiting", "done", "ignored", "failed", "dead",
                    "canceled")])),
    ]
