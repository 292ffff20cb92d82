"""The configured accounts. Events point here, so an instance is archived and never deleted."""

import re
import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, models
from pydantic import ValidationError as ModelError

from connections import library
from connections.access import ApiKey, InstanceGrant, ScopedQuerySet
from connections.adapter import Account, Adapter
from omni.errors import InvalidParams, UnknownProvider
from omni.recent import Recent
from omni.secrets import EncryptedJSONField

__all__ = ["ApiKey", "Instance", "InstanceGrant"]
SLUG = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}\Z")


class InstanceQuerySet(ScopedQuerySet):
    instance_path = "pk"

    def active(self) -> "InstanceQuerySet":
        return self.filter(archived_at__isnull=True)


class Instance(models.Model):
    """One account a person configured at a provider. Its slug is part of its webhook address."""

    slug = models.CharField(max_length=63, unique=True, help_text="Part of the webhook address; "
                            "never changes.")
    name = models.CharField(max_length=120)
    provider = models.CharField(max_length=32)
    enabled = models.BooleanField(default=True, help_text="Off: what arrives is archived, not "
                                  "routed.")
    settings = models.JSONField(default=dict, blank=True)
    credentials = EncryptedJSONField(default=dict, blank=True)
    labels = models.JSONField(default=list, blank=True)
    agent = models.CharField(max_length=63, default="default", blank=True,
                             help_text="The agent that answers here.")
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = InstanceQuerySet.as_manager()

    class Meta:
        db_table = "omni_instances"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_on(self) -> bool:
        """Whether what arrives may wake workflows; it is archived in any case."""
        return self.enabled and self.archived_at is None

    @property
    def adapter(self) -> Adapter:
        return library.get(self.provider)

    def account(self) -> Account:
        """Plain validated data for the adapter. Raises InvalidParams with every wrong field."""
        given = (self.slug, self.provider, self.pk, repr(self.settings), repr(self.credentials))
        known = self.__dict__.get("_account")
        if known is None or known[0] != given:
            known = self.__dict__["_account"] = (given, self._validated())
        return known[1]

    def _validated(self) -> Account:
        details: dict[str, str] = {}
        parts: dict[str, Any] = {}
        for name, model in (("settings", self.adapter.Settings),
                            ("credentials", self.adapter.Credentials)):
            try:
                parts[name] = model.model_validate(getattr(self, name) or {})
            except ModelError as exc:
                for error in exc.errors(include_input=False, include_url=False):
                    path = ".".join([name, *map(str, error["loc"])])
                    details[path] = error["msg"]
        if details:
            raise self._wrong(details)
        return Account(slug=self.slug, provider=self.provider, id=self.pk, **parts)

    def check_to_save(self) -> None:
        """Refuse fields no adapter takes, and credentials that could never prove a sender.

        Raises InvalidParams with every wrong field.
        """
        wrong = self.adapter.complaints(self.account())
        if wrong:
            raise self._wrong(wrong)

    def _wrong(self, details: dict[str, str]) -> InvalidParams:
        fields = "; ".join(f"{path}: {text}" for path, text in sorted(details.items()))
        return InvalidParams(f"instance '{self.slug}': {fields}", details=details)

    def clean(self) -> None:
        errors: dict[str, list[str]] = {}
        if not SLUG.fullmatch(self.slug or ""):
            errors["slug"] = ["use lower-case letters, digits, - and _, at most 63"]
        proof, before = ("settings", "credentials"), None
        if self.pk:
            before = Instance.objects.filter(pk=self.pk).values("slug", "provider", *proof).first()
            if before and before["slug"] != self.slug:
                errors["slug"] = ["a slug never changes: it is part of the webhook address"]
            if before and before["provider"] != self.provider:
                errors["provider"] = ["an instance keeps its provider; make a new instance"]
        try:
            if before and all(before[name] == getattr(self, name) for name in proof):
                self.account()
            else:
                self.check_to_save()
        except UnknownProvider as exc:
            errors["provider"] = [exc.message]
        except InvalidParams as exc:
            for path, text in exc.details.items():
                errors.setdefault(path.split(".", 1)[0], []).append(f"{path}: {text}")
        if errors:
            raise ValidationError(errors)

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        forget(self.provider, self.slug)


_by_id: dict[int, tuple[float, "Instance"]] = {}


def by_id(instance_id: int) -> "Instance":
    """An instance to read, from a cache of OMNI_INSTANCE_CACHE_SECONDS; raises DoesNotExist."""
    entry, now = _by_id.get(instance_id), time.monotonic()
    if entry and now - entry[0] < settings.OMNI_INSTANCE_CACHE_SECONDS:
        return entry[1]
    instance = Instance.objects.get(pk=instance_id)
    _by_id[instance_id] = (now, instance)
    return instance


_known: Recent[tuple[str, str], tuple[float, "Instance | None", Account | None]] = Recent(5000)


def lookup(provider: str, slug: str) -> tuple[Instance | None, Account | None]:
    """The instance at a webhook address, from a cache of OMNI_INSTANCE_CACHE_SECONDS.

    (None, None) when there is none. The account is None when its settings no longer fit.
    A stale entry is still used while the database is away, for at most five minutes.
    """
    if not SLUG.fullmatch(slug):
        return None, None
    key = (provider, slug)
    entry = _known.get(key)
    now = time.monotonic()
    if entry and now - entry[0] < settings.OMNI_INSTANCE_CACHE_SECONDS:
        return entry[1], entry[2]
    try:
        instance = Instance.objects.filter(slug=slug, provider=provider).first()
    except (OperationalError, InterfaceError):
        if entry and entry[1] is not None and now - entry[0] < 300:
            return entry[1], entry[2]
        raise
    account = None
    if instance is not None:
        try:
            account = instance.account()
        except InvalidParams:
            account = None
        _known.keep(key, (now, instance, account))
    return instance, account


def is_cached(provider: str, slug: str) -> bool:
    """Whether `lookup` will answer without asking the database, also a moment later."""
    entry = _known.get((provider, slug))
    return (entry is not None
            and time.monotonic() - entry[0] < settings.OMNI_INSTANCE_CACHE_SECONDS * 0.9)


def forget(provider: str | None = None, slug: str | None = None) -> None:
    """Drop one cached instance, or all of them."""
    _by_id.clear()
    if provider is None:
        _known.clear()
    else:
        _known.pop((provider, slug or ""), None)
