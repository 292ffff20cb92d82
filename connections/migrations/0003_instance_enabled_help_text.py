from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0002_stored_secrets'),
    ]

    operations = [
        migrations.AlterField(
            model_name='instance',
            name='enabled',
            field=models.BooleanField(default=True, help_text='Off: what arrives is archived, not routed, and nothing is sent.'),
        ),
    ]
