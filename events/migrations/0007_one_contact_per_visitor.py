"""Visitors of web chats were two contacts: their handle was stored without a scope where they
acted, and once more with the instance's number as scope where they were the other side.
"""

from django.db import migrations

_PAIRS = """
SELECT plain.id, scoped.id FROM omni_handles plain
JOIN omni_handles scoped ON scoped.provider = plain.provider AND scoped.kind = plain.kind
                        AND scoped.value = plain.value AND scoped.scope ~ '^[0-9]+$'
WHERE plain.provider = 'webchat' AND plain.kind = 'id' AND plain.scope = ''
ORDER BY plain.id, scoped.id
"""


def join_pairs(apps, schema_editor):
    """The handle without scope stays; of two contacts the one the conversations point to, or the
    one that is known by more names. Labels and attributes of both are kept.
    """
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_PAIRS)
        pairs = cursor.fetchall()
        if not pairs:
            return
        # Events refer to handles, and no index helps the database to see that none does any more.
        cursor.execute("CREATE INDEX omni_events_actor_once ON omni_events (actor_id)")
        for plain, scoped in pairs:
            _join(apps, cursor, plain, scoped)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP INDEX omni_events_actor_once")


def _join(apps, cursor, plain, scoped):
    Contact = apps.get_model("events", "Contact")
    Handle = apps.get_model("events", "Handle")
    actor, counterpart = (Handle.objects.get(pk=number).contact for number in (plain, scoped))
    if actor.pk != counterpart.pk:
        names = {contact.pk: Handle.objects.filter(contact=contact).count()
                 for contact in (actor, counterpart)}
        kept, gone = ((actor, counterpart) if names[actor.pk] > names[counterpart.pk]
                      else (counterpart, actor))
        kept.name = kept.name or gone.name
        kept.labels = [*kept.labels, *(word for word in gone.labels if word not in kept.labels)]
        kept.attributes = {**gone.attributes, **kept.attributes}
        kept.merged_into = None
        kept.save()
        Handle.objects.filter(contact=gone).update(contact=kept, linked_by="merge")
        apps.get_model("events", "Conversation").objects.filter(contact=gone).update(contact=kept)
        Contact.objects.filter(merged_into=gone).update(merged_into=kept)
        Contact.objects.filter(pk=gone.pk).update(merged_into=kept)
    cursor.execute("INSERT INTO omni_handle_instances (handle_id, instance_id) "
                   "SELECT %s, instance_id FROM omni_handle_instances WHERE handle_id = %s "
                   "ON CONFLICT DO NOTHING", [plain, scoped])
    cursor.execute("DELETE FROM omni_handle_instances WHERE handle_id = %s", [scoped])
    cursor.execute("UPDATE omni_events SET actor_id = %s WHERE actor_id = %s", [plain, scoped])
    cursor.execute("DELETE FROM omni_handles WHERE id = %s", [scoped])


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0006_conversation_title_optional'),
    ]

    operations = [
        migrations.RunPython(join_pairs, migrations.RunPython.noop),
    ]
