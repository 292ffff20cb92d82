"""An echo settles one send at most."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0009_outbox_place_indexes'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='outboxmessage',
            constraint=models.UniqueConstraint(condition=models.Q(('resolution', 'echo')), fields=('event',), name='outbox_echo_once'),
        ),
    ]
