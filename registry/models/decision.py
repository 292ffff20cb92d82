"""Why a workflow ran or did not: one row per routed event."""

from django.db import models

from connections.access import ScopedQuerySet


class RoutingDecision(models.Model):
    """What matching said about one event. Written by `registry.engine.route.routing` only.

    considered: [{workflow, version, binding, result, clause, run_id}]; result is matched,
    suppressed (another took the claim), condition (clause says which), type, error, or what a
    gate said. The clause of a match tells which gates had no key to count by.
    """

    event = models.OneToOneField("events.Event", on_delete=models.CASCADE, primary_key=True,
                                 related_name="routing_decision")
    instance = models.ForeignKey("connections.Instance", on_delete=models.PROTECT,
                                 related_name="+", db_index=False)
    matched = models.IntegerField(default=0)
    reason = models.TextField(default="")
    considered = models.JSONField(default=list)
    decided_at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_routing_decisions"
