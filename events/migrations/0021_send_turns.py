from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("events", "0020_no_unrouted_index")]

    operations = [migrations.CreateModel(
        name="SendTurn",
        fields=[
            ("effect_key", models.CharField(max_length=255, primary_key=True, serialize=False)),
            ("instance_id", models.BigIntegerField()),
            ("recipient", models.TextField(null=True)),
            ("at", models.DateTimeField()),
        ],
        options={
            "db_table": "omni_send_turns",
            "indexes": [models.Index(fields=["instance_id", "recipient", "-at"],
                                     name="turn_newest")],
        })]
