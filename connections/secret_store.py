"""Secrets that workflows name as `secrets.<name>`: kept encrypted, written and never read back.

One of an account wins over one of all accounts with the same name.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from connections.access import ScopedQuerySet
from connections.secret_texts import LEAST_CHARACTERS
from omni.errors import NotConfigured
from omni.secrets import EncryptedJSONField

NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}\Z"
MOST_CHARACTERS = 10_000
MASK = "[secret]"
_UNCHANGED = re.compile(r"[A-Za-z0-9._~-]*")  # what no encoding of an address or a text alters
_URL_SIGNS = ("", "/", "!$&'()*+,;=:@/?[]")  # those that quoting may leave: in all, a path, httpx2


class Secret(models.Model):
    """A text a workflow may hand to a parameter that its action marks secret."""

    name = models.CharField(max_length=63, validators=[RegexValidator(
        NAME, "use letters, digits and _, not beginning with a digit")],
        help_text="A workflow writes ${{ secrets.name }}.")
    instance = models.ForeignKey("connections.Instance", null=True, blank=True,
                                 on_delete=models.CASCADE, related_name="secrets",
                                 help_text="Empty: every instance.")
    value = EncryptedJSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "omni_secrets"
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(
            fields=["name", "instance"], name="secret_once_per_instance", nulls_distinct=False)]

    def __str__(self) -> str:
        return self.name


def unknown(names: Iterable[str]) -> set[str]:
    """Those of the names that no account has a secret of."""
    wanted = set(names)
    return wanted - set(Secret.objects.filter(name__in=wanted).values_list("name", flat=True)) \
        if wanted else set()


class Vault(Mapping[str, str]):
    """The secrets one account may use, each read when it is named; a list of them is empty.

    It remembers what it handed out, so that this can be taken out of what is stored and shown.
    """

    def __init__(self, instance_id: int | None) -> None:
        self._instance_id = instance_id
        self._given: dict[str, str] = {}
        self._compiled: tuple[int, re.Pattern[str]] | None = None  # for how many given

    def __getitem__(self, name: str) -> str:
        """Raises NotConfigured when there is none."""
        if name not in self._given:
            here = Q(instance_id=self._instance_id) | Q(instance=None)
            row = Secret.objects.filter(here, name=name).order_by(
                F("instance_id").asc(nulls_last=True)).first()
            if row is None:
                raise NotConfigured(f"there is no secret '{name}' here; add it under Secrets, or "
                                    "with POST /api/v1/secrets/", setting=f"secrets.{name}")
            self._given[name] = row.value
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def masked(self, value: Any) -> Any:
        """Plain data without what was handed out, whichever case it is written in, nor its
        percent-encoded, JSON-escaped and repr'd forms.
        """
        return _without(value, self._pattern()) if self._given else value

    def _pattern(self) -> re.Pattern[str]:
        if self._compiled is None or self._compiled[0] != len(self._given):
            forms = {form for text in self._given.values() if len(text) >= LEAST_CHARACTERS
                     for form in _forms(text) if len(form) >= LEAST_CHARACTERS}
            texts = sorted(forms, key=len, reverse=True)
            self._compiled = (len(self._given), re.compile(
                "|".join(map(re.escape, texts)) or r"(?!)", re.IGNORECASE))
        return self._compiled[1]


def _forms(text: str) -> set[str]:
    """How a text may stand in what a library says of it."""
    if _UNCHANGED.fullmatch(text):
        return {text}
    found = set()
    for form in (text, re.sub(r"[\t\r\n]", "", text)):  # urlsplit drops these from an address
        found |= {form, repr(form)[1:-1], ascii(form)[1:-1], json.dumps(form)[1:-1],
                  json.dumps(form, ensure_ascii=False)[1:-1], form.replace("\\", "\\\\"),
                  quote_plus(form, errors="replace"),
                  *(quote(form, safe=signs, errors="replace") for signs in _URL_SIGNS)}
    return found


def _without(value: Any, secret: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return secret.sub(MASK, value)
    if isinstance(value, Mapping):
        return {_without(name, secret): _without(item, secret) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, secret) for item in value]
    return value
