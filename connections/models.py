"""The configured accounts. Events point here, so an instance is archived and never deleted."""

import re
import time
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, models
from pydantic import ValidationError as ModelError

from connections import library, moved
from connections.access import ApiKey, InstanceGrant, ScopedQuerySet
from connections.adapter import CONCERNS_OTHERS, Account, Adapter
from connections.secrets.store import Secret
from omni.errors import InvalidParams, UnknownProvider
from omni.recent import Recent
from omni.secrets import EncryptedJSONField

__all__ = ["ApiKey", "Instance", "InstanceGrant", "Secret"]
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
                                  "routed, and nothing is sent.")
    settings = models.JSONField(default=dict, blank=True)
    credentials = EncryptedJSONField(default=dict, blank=True)
    labels = models.JSONField(default=list, blank=True)
    agent = models.CharField(max_length=63, default="default", blank=True,
                             help_text="The agent that answers here.")
    people_group = models.CharField(
        max_length=63, default="", db_default="", blank=True, help_text="Accounts with the same "
        "word here share their people: contacts, labels and attributes. Empty is a group as well.")
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
        """Whether what arrives may wake workflows, and anything goes out; it is archived in any
        case.
        """
        return self.enabled and self.archived_at is None

    @property
    def adapter(self) -> Adapter:
        return library.get(self.provider)

    @property
    def reach(self) -> dict[str, Any]:
        """What concerns other accounts too: it is changed only by who sees every instance."""
        known = library.adapters().get(self.provider)
        shared = {name for name, field in known.Settings.model_fields.items()
                  if field.json_schema_extra == CONCERNS_OTHERS} if known else set()
        return {"people_group": self.people_group,
                **{name: value for name, value in (self.settings or {}).items()
                   if name in shared and value}}

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
        """Take the blanks off addresses; refuse fields no adapter takes, credentials that could
        never prove a sender, and addresses that hold a password or are none.

        Raises InvalidParams with every wrong field.
        """
        if isinstance(self.settings, dict):
            self.settings = {name: value.strip() if name in self.adapter.addresses and isinstance(
                value, str) else value for name, value in self.settings.items()}
        wrong = dict(self.adapter.complaints(self.account()))
        wrong |= {f"settings.{name}": fault for name in self.adapter.addresses
                  if (fault := moved.address_fault((self.settings or {}).get(name)))}
        if wrong:
            raise self._wrong(wrong)

    def _wrong(self, details: dict[str, str]) -> InvalidParams:
        fields = "; ".join(f"{path}: {text}" for path, text in sorted(details.items()))
        return InvalidParams(f"instance '{self.slug}': {fields}", details=details)

    def clean(self) -> None:
        errors: dict[str, list[str]] = {}
        self.people_group = (self.people_group or "").strip()
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


def why_off(instance_id: int) -> str:
    """Why nothing goes out here now, as the database has it; "" when it may."""
    row = Instance.objects.only("slug", "enabled", "archived_at").get(pk=instance_id)
    if row.is_on:
        return ""
    how = ("is archived; bring it back first" if row.archived_at
           else "is switched off; enable it first")
    return f"nothing was sent: instance '{row.slug}' {how}"


# Of each 5,000 at most: a scanner cannot grow memory, nor push out what is known.
_known: Recent[tuple[str, str], tuple[float, "Instance", Account | None]] = Recent(5000)
_missing: Recent[tuple[str, str], float] = Recent(5000)  # no instance there, and when we looked


def lookup(provider: str, slug: str) -> tuple[Instance | None, Account | None]:
    """The instance at a webhook address, from a cache of OMNI_INSTANCE_CACHE_SECONDS.

    (None, None) when there is none, which is remembered too. The account is None
    when its settings no longer fit. A stale entry is still used while the database is away, for at
    most five minutes.
    """
    if not SLUG.fullmatch(slug):
        return None, None
    key = (provider, slug)
    entry = _known.get(key)
    now = time.monotonic()
    if entry and now - entry[0] < settings.OMNI_INSTANCE_CACHE_SECONDS:
        return entry[1], entry[2]
    if _is_missing(key, within=settings.OMNI_INSTANCE_CACHE_SECONDS):
        return None, None
    try:
        instance = Instance.objects.filter(slug=slug, provider=provider).first()
    except (OperationalError, InterfaceError):
        if entry and now - entry[0] < 300:
            return entry[1], entry[2]
        raise
    if instance is None:
        _missing.keep(key, now)
        return None, None
    try:
        account = instance.account()
    except InvalidParams:
        account = None
    _missing.drop([key])
    _known.keep(key, (now, instance, account))
    return instance, account


def _is_missing(key: tuple[str, str], *, within: float) -> bool:
    """Whether we looked for it in the last `within` seconds and there was none."""
    looked = _missing.get(key)
    return looked is not None and time.monotonic() - looked < within


_MOMENT_SECONDS = 0.05


def is_cached(provider: str, slug: str) -> bool:
    """Whether `lookup` will answer without asking the database, also a moment later."""
    within = settings.OMNI_INSTANCE_CACHE_SECONDS - _MOMENT_SECONDS
    entry = _known.get((provider, slug))
    if entry is not None and time.monotonic() - entry[0] < within:
        return True
    return not SLUG.fullmatch(slug) or _is_missing((provider, slug), within=within)


def was_known(provider: str, slug: str) -> bool:
    """Whether there was an instance at an address when `lookup` last looked."""
    return (provider, slug) in _known


def forget(provider: str | None = None, slug: str | None = None) -> None:
    """Drop one cached instance, or all of them."""
    _by_id.clear()
    if provider is None:
        _known.clear()
        _missing.clear()
    else:
        _known.pop((provider, slug or ""), None)
        _missing.pop((provider, slug or ""), None)
