"""The inbox says which events are not routed; without the index a mark changes no index."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0019_inbox")]

    operations = [RemoveIndexConcurrently("event", "event_unrouted")]
