"""What is changed at agents and contact lists raises the number of the configuration."""

from django.db import migrations

from omni.config.triggers import raising


class Migration(migrations.Migration):
    dependencies = [("actions", "0002_memories_and_tasks"), ("omni", "0005_config_revision")]

    operations = [
        raising("omni_agents", topic="agents", columns=(
            "slug", "name", "kind", "base_url", "settings", "credentials", "timeout", "enabled")),
        raising("omni_contact_lists", topic="contact_lists", columns=(
            "name", "purpose", "label", "instance_id", "enabled")),
        raising("omni_contact_list_entries", topic="contact_lists", many=True, columns=(
            "contact_list_id", "pattern")),
    ]
