"""Contacts and handles belong to a group of accounts; what is known of a contact says where from.

The table of sightings was made by Django for `Handle.instances`; it gets a model of its own, and
the name a person was called by there.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('connections', '0006_instance_people_group'),
        ('events', '0012_put_aside'),
    ]

    operations = [
        migrations.AddField(
            model_name='contact',
            name='known_by',
            field=models.JSONField(blank=True, db_default={}, default=dict, editable=False),
        ),
        migrations.AddField(
            model_name='contact',
            name='people_group',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=63),
        ),
        migrations.AddField(
            model_name='handle',
            name='people_group',
            field=models.CharField(blank=True, db_default='', default='', max_length=63),
        ),
        migrations.RemoveConstraint(
            model_name='handle',
            name='handle_once_per_scope',
        ),
        migrations.AddConstraint(
            model_name='handle',
            constraint=models.UniqueConstraint(fields=('people_group', 'provider', 'scope', 'kind', 'value'), name='handle_once_per_group'),
        ),
        migrations.SeparateDatabaseAndState(state_operations=[
            migrations.CreateModel(
                name='Sighting',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('handle', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sightings', to='events.handle')),
                    ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='connections.instance')),
                ],
                options={
                    'db_table': 'omni_handle_instances',
                    'unique_together': {('handle', 'instance')},
                },
            ),
            migrations.AlterField(
                model_name='handle',
                name='instances',
                field=models.ManyToManyField(related_name='+', through='events.Sighting', to='connections.instance'),
            ),
        ]),
        migrations.AddField(
            model_name='sighting',
            name='name',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
    ]
