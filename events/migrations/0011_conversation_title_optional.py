from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_outbox_limits'),
    ]

    operations = [
        migrations.AlterField(
            model_name='conversation',
            name='title',
            field=models.TextField(blank=True, default=''),
        ),
    ]
