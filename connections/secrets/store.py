"""Secrets that workflows name as `secrets.<name>`: kept encrypted, written and never read back.

One of an account wins over one of all accounts with the same name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from connections.access import ScopedQuerySet
from connections.secrets import forms
from omni.config.remembered import Remembered
from omni.errors import NotConfigured
from omni.secrets import EncryptedJSONField

NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,62}\Z"
MOST_CHARACTERS = 10_000


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


# {(instance, name): value}, decrypted as an instance's credentials are while it is remembered.
_values: Remembered[tuple[int | None, str], str | None] = Remembered("secrets", most=1000)


class Vault(Mapping[str, str]):
    """The secrets one account may use, each looked up when it is named; a list of them is empty.

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
            rows = Secret.objects.filter(here, name=name).order_by(
                F("instance_id").asc(nulls_last=True))
            value = self._value(name, rows)
            if value is None:
                raise NotConfigured(f"there is no secret '{name}' here; add it under Secrets, or "
                                    "with POST /api/v1/secrets/", setting=f"secrets.{name}")
            self._given[name] = value
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def masked(self, value: Any) -> Any:
        """Plain data without what was handed out, in any form of `forms`."""
        return forms.without(value, self._pattern()) if self._given else value

    def _value(self, name: str, rows: ScopedQuerySet) -> str | None:
        def load() -> str | None:
            row = rows.first()
            return None if row is None else row.value

        return _values.get((self._instance_id, name), load)

    def _pattern(self) -> re.Pattern[str]:
        if self._compiled is None or self._compiled[0] != len(self._given):
            self._compiled = (len(self._given), forms.pattern(self._given.values()))
        return self._compiled[1]


class StandIns(Vault):
    """A vault for eyes that may not read secrets: `secret <name>` in place of each that is there.
    """

    def _value(self, name: str, rows: ScopedQuerySet) -> str | None:
        return f"secret {name}" if rows.exists() else None
