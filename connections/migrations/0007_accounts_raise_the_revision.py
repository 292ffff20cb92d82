"""What is changed at instances and secrets raises the number of the configuration."""

from django.db import migrations

from omni.config.triggers import raising

MATTERS = ("slug", "name", "provider", "enabled", "settings", "credentials", "labels", "agent",
           "people_group", "archived_at")


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0006_instance_people_group"), ("omni", "0005_config_revision")]

    operations = [
        raising("omni_instances", topic="instances", columns=MATTERS),
        raising("omni_secrets", topic="secrets", columns=("name", "instance_id", "value")),
    ]
