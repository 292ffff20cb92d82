"""Agents: who writes an answer. The kinds are in `actions.agents`."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from omni.secrets import EncryptedJSONField


class Agent(models.Model):
    """A configured agent. kind: builtin, hive, automagik, http or openai.

    settings: by kind (docs/agents.md). credentials: {api_key}. timeout: seconds for the answer.
    """

    KINDS = [(name, name) for name in ("builtin", "hive", "automagik", "http", "openai")]

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=KINDS, default="builtin")
    base_url = models.CharField(max_length=500, blank=True, default="")
    settings = models.JSONField(default=dict, blank=True)
    credentials = EncryptedJSONField(default=dict, blank=True)
    timeout = models.FloatField(default=60.0, validators=[MinValueValidator(1.0),
                                                          MaxValueValidator(600.0)])
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "omni_agents"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug
