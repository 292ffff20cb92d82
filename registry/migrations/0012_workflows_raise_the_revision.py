"""What runs raises the number of the configuration: publishing, binding, modes; a draft does not.
"""

from django.db import migrations

from omni.config.triggers import raising


class Migration(migrations.Migration):
    dependencies = [("registry", "0011_trial_jobs"), ("omni", "0005_config_revision")]

    operations = [
        raising("omni_workflows", topic="workflows", alone=True,
                columns=("slug", "mode", "archived_at")),
        raising("omni_workflow_versions", topic="workflows", columns=(
            "workflow_id", "number", "text", "published_at")),
        raising("omni_bindings", topic="workflows", columns=(
            "workflow_id", "scope", "instance_id", "provider", "enabled", "inputs", "priority",
            "version_id")),
    ]
