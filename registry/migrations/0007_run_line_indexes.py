"""Indexes for a claim that sees ready runs only, and for lines that are kept without counting."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

_LIVE = ("queued", "blocked", "running", "waiting")


class Migration(migrations.Migration):
    atomic = False  # the indexes are built while runs go on
    dependencies = [("registry", "0006_workers")]

    operations = [
        AddIndexConcurrently("run", models.Index(
            fields=["instance", "priority", "available_at"], name="run_ready",
            condition=Q(state="queued", deaths__lt=2))),
        AddIndexConcurrently("run", models.Index(
            fields=["available_at"], name="run_suspect",
            condition=Q(state="queued", deaths__gte=2))),
        AddIndexConcurrently("run", models.Index(
            fields=["workflow", "slot_key"], name="run_blocked", condition=Q(state="blocked"))),
        AddIndexConcurrently("run", models.Index(
            fields=["slot_key", "state", "ticket"], name="run_line",
            condition=Q(state__in=_LIVE, slot_key__isnull=False))),
        RemoveIndexConcurrently("run", "run_queued"),
        RemoveIndexConcurrently("run", "run_slot"),
    ]
