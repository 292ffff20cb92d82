"""Trials and back-tests as jobs of a process of their own."""
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0010_run_errors'),
    ]

    operations = [
        migrations.CreateModel(
            name='TrialJob',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('trial', 'trial'), ('tests', 'tests'), ('matches', 'matches'), ('backtest', 'backtest')], max_length=12)),
                ('workflow', models.CharField(default='', max_length=64)),
                ('asker', models.CharField(max_length=64)),
                ('instance_ids', models.JSONField(null=True)),
                ('request', models.TextField()),
                ('state', models.CharField(choices=[('queued', 'queued'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('canceled', 'canceled')], default='queued', max_length=8)),
                ('reason', models.TextField(default='')),
                ('done', models.IntegerField(default=0)),
                ('total', models.IntegerField(default=0)),
                ('result', models.TextField(null=True)),
                ('error', models.TextField(null=True)),
                ('owner', models.CharField(default='', max_length=255)),
                ('attempts', models.IntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('started_at', models.DateTimeField(null=True)),
                ('beat_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'back-test',
                'db_table': 'omni_trial_jobs',
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['queued', 'running'])), fields=['id'], name='trial_job_live'), models.Index(fields=['workflow', '-id'], name='trial_job_workflow')],
            },
        ),
    ]
