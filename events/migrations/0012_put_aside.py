"""Dead letters and failed runs a person has seen and put aside."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0011_contacts_without_chains")]

    operations = [
        migrations.CreateModel(
            name="PutAside",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("dead_letter", "dead_letter"), ("run", "run")], max_length=12)),
                ("row_id", models.BigIntegerField()),
                ("note", models.TextField(blank=True, default="")),
                ("actor", models.CharField(max_length=160)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "omni_put_aside",
                "constraints": [models.UniqueConstraint(fields=("kind", "row_id"), name="put_aside_once")],
            },
        ),
    ]
