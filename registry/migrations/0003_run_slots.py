"""What put runs in order becomes a slot with tickets; see `registry.engine.work.queue`."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_versions_never_change"), ("omni", "0003_database_clock")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE omni_run_tickets", "DROP SEQUENCE omni_run_tickets"),
        migrations.RemoveConstraint("run", "one_running_per_key"),
        migrations.RemoveConstraint("run", "run_once_per_event"),
        migrations.RemoveIndex("run", "run_order"),
        migrations.RenameField("run", "ordering_key", "slot_key"),
        migrations.RemoveField("run", "allow_effects"),
    ]
