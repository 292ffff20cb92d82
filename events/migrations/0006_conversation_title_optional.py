from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0005_contact_name_by_hand'),
    ]

    operations = [
        migrations.AlterField(
            model_name='conversation',
            name='title',
            field=models.TextField(blank=True, default=''),
        ),
    ]
