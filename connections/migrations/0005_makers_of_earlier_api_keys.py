"""Who made the keys there are, as the audit log has it; those of no person stay without one."""

from django.db import migrations


def fill_in(apps, schema_editor):
    keys = apps.get_model("connections", "ApiKey").objects.in_bulk(field_name="public_id")
    entries = apps.get_model("omni", "AuditEntry").objects.filter(
        action="key.issued", target__in=keys).order_by("id")
    issuers = dict(entries.values_list("target", "actor"))
    named = {f"key:{key.name}": public_id for public_id, key in keys.items()}
    for public_id, key in keys.items():
        actor, seen = issuers.get(public_id, ""), set()
        while actor in named and actor not in seen:  # a key that made a key
            seen.add(actor)
            actor = issuers.get(named[actor], "")
        if actor.startswith("user:"):
            key.made_by = actor
            key.save(update_fields=["made_by"])


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0004_api_key_made_by'),
        ('omni', '0002_audit_log_append_only'),
    ]

    operations = [migrations.RunPython(fill_in, migrations.RunPython.noop)]
