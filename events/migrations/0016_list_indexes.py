"""Indexes for what lists can be narrowed by: the value, then the order of the pages.

Those that begin with an instance replace the ones of the plain foreign keys; times are found in a
sorted index, because the pages of the old one hold too much at once.
"""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('connections', '0006_instance_people_group'),
        ('events', '0015_conversations_know_their_contact'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='contact',
            index=django.contrib.postgres.indexes.GinIndex(fields=['labels'], name='contact_labels', opclasses=['jsonb_path_ops']),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(fields=['instance', '-id'], name='conversation_instance_newest'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(fields=['kind', '-id'], name='conversation_kind_newest'),
        ),
        AddIndexConcurrently(
            model_name='conversation',
            index=models.Index(fields=['ref'], name='conversation_ref'),
        ),
        AddIndexConcurrently(
            model_name='conversationalias',
            index=models.Index(fields=['ref'], name='alias_ref'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['instance', '-id'], name='event_instance_newest'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['event_type', '-id'], name='event_type_newest'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['direction', '-id'], name='event_direction_newest'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(condition=models.Q(('provider_actor_ref', ''), _negated=True), fields=['provider_actor_ref', '-id'], name='event_actor_newest'),
        ),
        AddIndexConcurrently(
            model_name='event',
            index=models.Index(fields=['received_at'], name='event_received'),
        ),
        AddIndexConcurrently(
            model_name='eventaction',
            index=models.Index(fields=['workflow', '-id'], name='outcome_workflow_newest'),
        ),
        AddIndexConcurrently(
            model_name='eventaction',
            index=models.Index(fields=['action', '-id'], name='outcome_action_newest'),
        ),
        AddIndexConcurrently(
            model_name='eventaction',
            index=models.Index(condition=models.Q(('status', 'done'), _negated=True), fields=['status', '-id'], name='outcome_status_newest'),
        ),
        AddIndexConcurrently(
            model_name='eventaction',
            index=models.Index(condition=models.Q(('status', 'done'), _negated=True), fields=['status', 'event'], name='outcome_status_event'),
        ),
        AddIndexConcurrently(
            model_name='handle',
            index=models.Index(fields=['value'], name='handle_value'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(fields=['instance', '-id'], name='outbox_instance_newest'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state', 'succeeded'), _negated=True), fields=['state', '-id'], name='outbox_state_newest'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(fields=['kind', '-id'], name='outbox_kind_newest'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(fields=['created_at'], name='outbox_created'),
        ),
        RemoveIndexConcurrently(
            model_name='event',
            name='event_received_brin',
        ),
        migrations.AlterField(
            model_name='conversation',
            name='instance',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='conversations', to='connections.instance'),
        ),
        migrations.AlterField(
            model_name='event',
            name='instance',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='events', to='connections.instance'),
        ),
        migrations.AlterField(
            model_name='outboxmessage',
            name='instance',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='outbox', to='connections.instance'),
        ),
    ]
