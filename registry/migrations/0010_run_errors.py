from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_failed_runs_index")]

    operations = [migrations.AddField(
        model_name="run", name="errors",
        field=models.SmallIntegerField(default=0, db_default=0))]
