"""Who may see and do what: API keys, grants on instances, and the one scoped queryset.

Every list of rows that belong to an instance goes through `ScopedQuerySet.visible_to`; what is
foreign does not exist for the caller.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone

SCOPES = ("read", "send", "workflows", "admin")
KEY_DAYS = 90
KEY_MAX_DAYS = 365


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. instance_ids: None means every instance.

    kind: user or key. name: for records ("user:ana", "key:backup"). made_by: the person behind a
    key, likewise; "" when it is the installation's own.
    """

    kind: str
    name: str
    scopes: frozenset[str]
    instance_ids: frozenset[int] | None
    id: int | None = None
    made_by: str = ""

    def may(self, scope: str) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, instance_id: int | None) -> bool:
        return self.instance_ids is None or instance_id in self.instance_ids


SYSTEM = Principal(kind="system", name="system", scopes=frozenset(SCOPES), instance_ids=None)


class ScopedQuerySet(models.QuerySet):
    """Rows of instances. instance_path: the lookup from a row to its instance's id."""

    instance_path = "instance_id"

    def visible_to(self, principal: Principal) -> "ScopedQuerySet":
        if principal.instance_ids is None:
            return self
        return self.filter(**{f"{self.instance_path}__in": principal.instance_ids})


class ApiKeyQuerySet(models.QuerySet):
    def within_reach_of(self, principal: Principal) -> "ApiKeyQuerySet":
        """Keys a caller may list and revoke: those that reach no further than its own grants."""
        if principal.instance_ids is None:
            return self.all()
        grants = self.model.instances.through.objects.filter(apikey=OuterRef("pk"))
        return self.filter(Exists(grants), ~Exists(
            grants.exclude(instance_id__in=principal.instance_ids)))


class ApiKey(models.Model):
    """A program's key: `omni_<8 id>_<43 secret>`, stored as a hash, shown once."""

    name = models.CharField(max_length=120)
    public_id = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list, help_text="Any of read, send, workflows, admin.")
    every_instance = models.BooleanField(default=True, help_text="Off: only the instances below.")
    instances = models.ManyToManyField("connections.Instance", blank=True, related_name="api_keys")
    made_by = models.CharField(max_length=190, blank=True, default="", editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "omni_api_keys"
        ordering = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} (omni_{self.public_id}_…)"

    @classmethod
    def issue(cls, name: str, *, scopes: list[str], instances: list | None = None,
              days: int | None = KEY_DAYS, text: str = "",
              by: Principal | None = None) -> tuple["ApiKey", str]:
        """A new key and its text, which is not stored. days: None never expires.

        by: who asks for it; behind a key that a key makes stands the same person.
        text: a given key instead of a random one (OMNI_BOOTSTRAP_API_KEY).
        """
        unknown = set(scopes) - set(SCOPES)
        if unknown:
            raise ValueError(f"unknown scopes {sorted(unknown)}; known: {', '.join(SCOPES)}")
        text = text or f"omni_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
        expires = timezone.now() + timedelta(days=min(days, KEY_MAX_DAYS)) if days else None
        key = cls.objects.create(
            public_id=public_id(text), name=name, digest=digest(text), scopes=scopes,
            expires_at=expires, every_instance=not instances,
            made_by="" if by is None else by.name if by.kind == "user" else by.made_by)
        if instances:
            key.instances.set(instances)
        return key, text

    @classmethod
    def find(cls, text: str) -> "ApiKey | None":
        """The live key of a text; None when unknown, revoked or expired."""
        key = cls.objects.filter(public_id=public_id(text), revoked_at__isnull=True).first()
        if key is None or not hmac.compare_digest(key.digest, digest(text)):
            return None
        if key.expires_at and key.expires_at <= timezone.now():
            return None
        return key

    def principal(self) -> Principal:
        ids = None if self.every_instance else frozenset(
            self.instances.values_list("pk", flat=True))
        return Principal(kind="key", name=f"key:{self.name}", scopes=frozenset(self.scopes),
                         instance_ids=ids, id=self.pk, made_by=self.made_by)


class InstanceGrant(models.Model):
    """What a person may do on an instance; no row and no superuser means nothing is seen."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE,
                             related_name="instance_grants")
    instance = models.ForeignKey("connections.Instance", null=True, blank=True,
                                 on_delete=models.CASCADE, help_text="Empty: every instance.")
    scopes = models.JSONField(default=list)

    class Meta:
        db_table = "omni_instance_grants"
        constraints = [models.UniqueConstraint(
            fields=["user", "instance"], name="one_grant_per_user_and_instance",
            nulls_distinct=False)]


def principal_of(user) -> Principal:
    """The principal of a signed-in person; somebody unknown sees and may nothing.

    With several grants a person may what all of them allow: a wider grant on one instance never
    widens another.
    """
    if not user.is_authenticated:
        return Principal(kind="user", name="user:anonymous", scopes=frozenset(),
                         instance_ids=frozenset())
    if user.is_superuser:
        return Principal(kind="user", name=f"user:{user.get_username()}", id=user.pk,
                         scopes=frozenset(SCOPES), instance_ids=None)
    grants = list(InstanceGrant.objects.filter(user=user))
    everywhere = any(grant.instance_id is None for grant in grants)
    return Principal(
        kind="user", name=f"user:{user.get_username()}", id=user.pk,
        scopes=frozenset.intersection(*(frozenset(grant.scopes) for grant in grants))
        if grants else frozenset(),
        instance_ids=None if everywhere else frozenset(g.instance_id for g in grants))


def public_id(text: str) -> str:
    """The id inside a key's text, or one made of a text that has another form."""
    parts = text.split("_", 2)
    if len(parts) == 3 and parts[0] == "omni" and len(parts[1]) == 8:
        return parts[1]
    return hashlib.sha256(b"omni key id:" + text.encode()).hexdigest()[:8]


def digest(text: str) -> str:
    """What is stored of a key: its sha256. A key is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(b"omni api key:" + text.encode()).hexdigest()
