from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0009_tasks_wake_the_broker")]

    operations = [migrations.AddField(
        model_name="run", name="errors",
        field=models.SmallIntegerField(default=0, db_default=0))]
