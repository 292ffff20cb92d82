"""Indexes that find the sends to one place by time, also those of the API, and the sends under way.
They replace the ones of conversations alone and of the sends of runs.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('events', '0008_underived'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(condition=models.Q(('state', 'sending')), fields=['instance'], name='outbox_sending'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(fields=['conversation', '-started_at'], name='outbox_conversation'),
        ),
        AddIndexConcurrently(
            model_name='outboxmessage',
            index=models.Index(fields=['instance', 'recipient', '-started_at'], name='outbox_recipient'),
        ),
        RemoveIndexConcurrently(
            model_name='outboxmessage',
            name='outbox_person',
        ),
        migrations.AlterField(
            model_name='outboxmessage',
            name='conversation',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='events.conversation'),
        ),
    ]
