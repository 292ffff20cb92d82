"""Direct conversations from before they were told: whose they are, from their newest event."""

from django.db import migrations

# Effects (receipts, reactions) come under any address, so they do not say whose a place is.
_FILL = """
UPDATE omni_conversations c SET contact_id = coalesce(p.merged_into_id, p.id)
FROM omni_conversations d CROSS JOIN LATERAL (
    SELECT e.contact_id FROM omni_events e
    WHERE e.conversation_id = d.id AND e.contact_id IS NOT NULL AND e.relation NOT IN (
        'replaces', 'deletes', 'reacts_to', 'votes_on', 'status_of', 'pins', 'revises')
    ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1) newest
JOIN omni_contacts p ON p.id = newest.contact_id
WHERE d.id = c.id AND c.kind = 'direct' AND c.contact_id IS NULL;

UPDATE omni_conversations c SET contact_id = merged.contact_id
FROM omni_conversations merged
WHERE merged.merged_into_id = c.id AND merged.contact_id IS NOT NULL
    AND c.kind = 'direct' AND c.contact_id IS NULL;
"""


def fill(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_FILL)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0014_people_of_one_account'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
