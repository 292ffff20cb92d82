"""Names a conversation has by a guess are told from those an event named."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0017_raw_instance_index'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversationalias',
            name='is_guess',
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
