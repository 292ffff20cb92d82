"""People of different accounts were one contact where their native names were equal.

Every name that is not the same everywhere, and every name a webhook said, gets the scope of the
account it was met at. Where it was met at several, the contact stays with the first of them; the
others get one of their own, with the name their events said and copies of labels and attributes:
nothing tells who wrote those. What agents called the person is forgotten on both sides.
"""

from django.db import migrations

_PARTS = """
CREATE TEMPORARY TABLE split_parts ON COMMIT DROP AS
SELECT s.id AS sighting_id, s.handle_id, s.instance_id, h.contact_id AS old_contact,
       CASE WHEN h.provider = 'webhook' THEN i.slug ELSE i.id::text END AS scope,
       count(*) OVER (PARTITION BY s.handle_id) AS times, h.contact_id AS contact_id,
       NULL::bigint AS handle
FROM omni_handle_instances s
JOIN omni_handles h ON h.id = s.handle_id
JOIN omni_instances i ON i.id = s.instance_id
WHERE h.scope = '' AND (h.provider = 'webhook' OR h.kind NOT IN ('phone', 'email', 'jid'));

CREATE TEMPORARY TABLE split_copies ON COMMIT DROP AS
SELECT old_contact, instance_id,
       nextval(pg_get_serial_sequence('omni_contacts', 'id')) AS contact_id
FROM (SELECT DISTINCT p.old_contact, p.instance_id FROM split_parts p
      WHERE p.times > 1 AND p.instance_id <> (
          SELECT home.instance_id FROM split_parts home
          WHERE home.old_contact = p.old_contact AND home.times > 1
          ORDER BY home.sighting_id LIMIT 1)
      ORDER BY p.old_contact, p.instance_id) found;

UPDATE split_parts p SET contact_id = k.contact_id FROM split_copies k
WHERE p.times > 1 AND p.old_contact = k.old_contact AND p.instance_id = k.instance_id;
"""
_CONTACTS = """
INSERT INTO omni_contacts (id, people_group, name, name_by_hand, labels, attributes, known_by,
                           kept_apart, created_at)
SELECT k.contact_id, c.people_group, coalesce((
           SELECT e.sender_name FROM omni_events e
           WHERE e.contact_id = c.id AND e.instance_id = k.instance_id AND e.sender_name <> ''
               AND NOT e.from_me
           ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1), c.name), false,
       c.labels, c.attributes - 'agent_users', '{}', '[]', now()
FROM split_copies k JOIN omni_contacts c ON c.id = k.old_contact ORDER BY k.contact_id;

UPDATE omni_contacts c SET attributes = c.attributes - 'agent_users'
WHERE c.id IN (SELECT old_contact FROM split_copies) AND c.attributes ? 'agent_users';
"""
_HANDLES = """
UPDATE split_parts p SET handle = held.id
FROM omni_handles h, omni_handles held
WHERE h.id = p.handle_id AND held.people_group = h.people_group AND held.provider = h.provider
    AND held.scope = p.scope AND held.kind = h.kind AND held.value = h.value;

UPDATE omni_contacts c SET merged_into_id = p.contact_id
FROM split_parts p JOIN omni_handles held ON held.id = p.handle
WHERE (c.id = held.contact_id OR c.merged_into_id = held.contact_id)
    AND held.contact_id <> p.contact_id AND NOT EXISTS (
        SELECT 1 FROM omni_handles other
        WHERE other.contact_id = held.contact_id AND other.id <> held.id);

UPDATE omni_handles h SET contact_id = p.contact_id FROM split_parts p WHERE h.id = p.handle;

UPDATE split_parts p SET handle = p.handle_id
WHERE p.handle IS NULL AND p.sighting_id = (
    SELECT first.sighting_id FROM split_parts first
    WHERE first.handle_id = p.handle_id AND first.handle IS NULL
    ORDER BY first.contact_id = first.old_contact DESC, first.sighting_id LIMIT 1);

UPDATE split_parts SET handle = nextval(pg_get_serial_sequence('omni_handles', 'id'))
WHERE handle IS NULL;

INSERT INTO omni_handles (id, people_group, provider, scope, kind, value, contact_id, confidence,
                          linked_by, verified, created_at)
SELECT p.handle, h.people_group, h.provider, p.scope, h.kind, h.value, p.contact_id, h.confidence,
       h.linked_by, h.verified, h.created_at
FROM split_parts p JOIN omni_handles h ON h.id = p.handle_id
WHERE NOT EXISTS (SELECT 1 FROM omni_handles made WHERE made.id = p.handle);

UPDATE omni_handles h SET scope = p.scope, contact_id = p.contact_id
FROM split_parts p WHERE h.id = p.handle AND p.handle = p.handle_id;

INSERT INTO omni_handle_instances (handle_id, instance_id)
SELECT handle, instance_id FROM split_parts WHERE handle <> handle_id ON CONFLICT DO NOTHING;

DELETE FROM omni_handle_instances s USING split_parts p
WHERE s.id = p.sighting_id AND p.handle <> p.handle_id;
"""
_POINTERS = """
UPDATE omni_events e SET actor_id = p.handle FROM split_parts p
WHERE e.actor_id = p.handle_id AND e.instance_id = p.instance_id AND p.handle <> p.handle_id;
"""
_OWNERS = """
UPDATE {table} t SET contact_id = k.contact_id FROM split_copies k
WHERE t.contact_id = k.old_contact AND t.instance_id = k.instance_id
"""
_SAID = """
UPDATE omni_handle_instances s SET name = said.sender_name
FROM (SELECT DISTINCT ON (e.actor_id, e.instance_id) e.actor_id, e.instance_id, e.sender_name
      FROM omni_events e
      WHERE e.sender_name <> '' AND e.actor_id IN (
          SELECT handle_id FROM omni_handle_instances GROUP BY handle_id HAVING count(*) > 1)
      ORDER BY e.actor_id, e.instance_id, e.id) said
WHERE s.handle_id = said.actor_id AND s.instance_id = said.instance_id
"""


def split(apps, schema_editor):
    """Tables of the apps above have rows only where those are installed already."""
    with schema_editor.connection.cursor() as cursor:
        for statements in (_PARTS, _CONTACTS, _HANDLES, _POINTERS):
            cursor.execute(statements)
        for table in ("omni_events", "omni_conversations", "omni_memories", "omni_tasks"):
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
            if cursor.fetchone()[0]:
                cursor.execute(_OWNERS.format(table=table))
        cursor.execute(_SAID)


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0013_people_groups'),
    ]

    operations = [
        migrations.RunPython(split, migrations.RunPython.noop),
    ]
