from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0003_instance_enabled_help_text'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='made_by',
            field=models.CharField(blank=True, default='', editable=False, max_length=190),
        ),
    ]
