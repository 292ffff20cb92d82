"""Signing in with a password, with a brake on guessing that every process shares.

Counted are the account from one address, and the address alone; never the account alone, so that
nobody can lock its owner out from elsewhere. Source: OWASP ASVS 5.0.0, 6.3.1.
"""

import hashlib
import logging
import math
from datetime import timedelta
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from omni.peer import address_of

logger = logging.getLogger("omni.sign_in")
PAIR_TRIES = 5  # of one account from one address within WINDOW
ADDRESS_TRIES = 20  # of one address, which may be a whole office, within WINDOW
WINDOW = timedelta(minutes=15)  # and the first pause; each further wrong try doubles it
LONGEST = timedelta(hours=24)


class SignInTries(models.Model):
    """Wrong tries under one key: a hash, because people type passwords into the wrong field."""

    key = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField(default=0)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        app_label = "omni"
        db_table = "omni_sign_in_tries"


class TooManyTries(ValidationError):
    """A form shows it. until: when the next try is looked at."""

    def __init__(self, until: Any) -> None:
        minutes = max(1, math.ceil((until - timezone.now()).total_seconds() / 60))
        super().__init__(f"Too many wrong passwords. Try again in {minutes} "
                         f"minute{'s' if minutes > 1 else ''}, at {until:%H:%M} UTC.",
                         code="too_many_tries")
        self.until = until


class BrakedBackend(ModelBackend):
    """Django's own, which looks at a password only while there are tries left.

    Raises TooManyTries. Code that signs in without a request is not braked.
    """

    def authenticate(self, request: HttpRequest | None, username: str | None = None,
                     password: str | None = None, **more: Any) -> Any:
        if request is None or password is None:
            return super().authenticate(request, username, password, **more)
        address = address_of(request)
        pair, alone = _key((username or "").casefold(), address), _key(address)
        _count({pair: PAIR_TRIES, alone: ADDRESS_TRIES} if address else {pair: PAIR_TRIES})
        user = super().authenticate(request, username, password, **more)
        if user is not None:
            _take_back(pair, alone)
        return user


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


@transaction.atomic
def _count(keys: dict[str, int]) -> None:
    """Count a try before it is looked at, so that many at once are no more than the limit.

    keys: key -> tries that are free. Raises TooManyTries, and then counts nothing.
    """
    now = timezone.now()
    SignInTries.objects.bulk_create([SignInTries(key=key, since=now) for key in sorted(keys)],
                                    ignore_conflicts=True)
    rows = list(SignInTries.objects.select_for_update().filter(key__in=keys).order_by("key"))
    closed = [row.until for row in rows if row.until is not None and row.until > now]
    if closed:
        logger.warning("Sign-in refused for a while.", extra={"until": max(closed).isoformat()})
        raise TooManyTries(max(closed))
    for row in rows:
        free = keys[row.key]
        if now - (row.until or row.since) > (WINDOW if row.tries < free else LONGEST):
            row.tries, row.since, row.until = 0, now, None
        row.tries += 1
        if row.tries >= free:
            row.until = now + min(WINDOW * 2 ** min(row.tries - free, 10), LONGEST)
        row.save(update_fields=["tries", "since", "until"])
    SignInTries.objects.filter(since__lt=now - 7 * LONGEST).delete()


def _take_back(pair: str, alone: str) -> None:
    """The right password: this account starts anew here, and the address is given its try back."""
    SignInTries.objects.filter(key=pair).delete()
    SignInTries.objects.filter(key=alone, tries__gt=0).update(tries=models.F("tries") - 1,
                                                              until=None)
