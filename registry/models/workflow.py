"""Workflows, their immutable versions, and the bindings that switch them on."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q


class Workflow(models.Model):
    """A named document. `draft` is what people edit; versions are what runs.

    revision grows with every save: an editor sends back the one it read (409 when it is stale).
    mode: on; paused (new runs queue up and live ones stop before their next turn, until it is on
    again); draining (no new runs, live ones finish).
    pins: {step id: output} that a trial run takes instead of doing the step.
    """

    MODES = [(name, name) for name in ("on", "paused", "draining")]

    slug = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=120, blank=True, default="")
    description = models.TextField(blank=True, default="")
    draft = models.TextField(help_text="The YAML document.")
    revision = models.IntegerField(default=1, editable=False)
    mode = models.CharField(max_length=8, choices=MODES, default="on", editable=False)
    pins = models.JSONField(default=dict, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "omni_workflows"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    def latest(self) -> "WorkflowVersion | None":
        return self.versions.order_by("-number").first()


class WorkflowVersion(models.Model):
    """One published text. Never edited: a trigger in the database refuses it (migration 0002)."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    compiled = models.JSONField()  # canonical data of the document
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL,
                               related_name="+")
    note = models.TextField(blank=True, default="")
    published_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "omni_workflow_versions"
        ordering = ["workflow", "-number"]
        constraints = [models.UniqueConstraint(fields=["workflow", "number"],
                                               name="version_number_once")]

    def __str__(self) -> str:
        return f"{self.workflow.slug} v{self.number}"


class Binding(models.Model):
    """Where a workflow is switched on: scope, inputs, priority, pinned version.

    scope: instance, provider or global; the narrowest one decides key by key.
    version: null follows the latest published one.
    """

    SCOPES = [(name, name) for name in ("instance", "provider", "global")]

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="bindings")
    scope = models.CharField(max_length=8, choices=SCOPES, default="global")
    instance = models.ForeignKey("connections.Instance", null=True, blank=True,
                                 on_delete=models.PROTECT, related_name="bindings")
    provider = models.CharField(max_length=32, blank=True, default="")
    enabled = models.BooleanField(default=True)
    inputs = models.JSONField(default=dict, blank=True)
    priority = models.IntegerField(null=True, blank=True)
    version = models.ForeignKey(WorkflowVersion, null=True, blank=True, on_delete=models.PROTECT,
                                related_name="+")
    revision = models.IntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "omni_bindings"
        ordering = ["workflow", "scope"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "scope", "instance", "provider"],
                                    name="binding_once_per_scope", nulls_distinct=False),
            models.CheckConstraint(
                name="binding_scope_fits",
                condition=(Q(scope="instance", instance__isnull=False, provider="")
                           | (Q(scope="provider", instance__isnull=True) & ~Q(provider=""))
                           | Q(scope="global", instance__isnull=True, provider="")))]

    def __str__(self) -> str:
        place = {"instance": str(self.instance_id), "provider": self.provider}.get(self.scope, "")
        return f"{self.workflow_id} on {self.scope} {place}".strip()

    def clean(self) -> None:
        """Says in words what `binding_scope_fits` holds."""
        wanted = {"instance": self.scope == "instance", "provider": self.scope == "provider"}
        wrong = {name: f"scope {self.scope} needs one" if is_wanted else
                 f"scope {self.scope} takes none" for name, is_wanted in wanted.items()
                 if is_wanted != bool(self.instance_id if name == "instance" else self.provider)}
        if wrong:
            raise ValidationError(wrong)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Every save raises `revision`, so that an editor notices another's."""
        if self.pk:
            self.revision = F("revision") + 1
        super().save(*args, **kwargs)
        if self.pk and not isinstance(self.revision, int):
            self.refresh_from_db(fields=["revision"])
