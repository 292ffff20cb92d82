"""Accounts say with which others they share their people."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0005_makers_of_earlier_api_keys'),
    ]

    operations = [
        migrations.AddField(
            model_name='instance',
            name='people_group',
            field=models.CharField(blank=True, db_default='', default='', help_text='Accounts with the same word here share their people: contacts, labels and attributes. Empty is a group as well.', max_length=63),
        ),
    ]
