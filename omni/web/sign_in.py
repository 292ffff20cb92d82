"""Signing in with a password, with a brake on guessing that every process shares.

Counted are the account from one address, the address alone, and the line of an IPv6 address; never
the account alone, so that nobody can lock its owner out from elsewhere. Behind a proxy that names
no sender, the proxy is the address, and only it is counted. Source: OWASP ASVS 5.0.0, 6.3.1.
"""

import hashlib
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import timezone

from omni.web.peer import NETWORK, address_of

logger = logging.getLogger("omni.web.sign_in")
WINDOW = timedelta(minutes=15)  # and the first pause, which each further one doubles
MEMORY = timedelta(hours=24)  # after which a pause is forgotten


@dataclass(frozen=True, slots=True)
class Brake:
    """How many wrong tries are free within WINDOW, and how long a pause grows.

    afresh: after a pause as many are free again; otherwise each further one is a pause.
    """

    free: int
    longest: timedelta
    afresh: bool = True

    def pauses(self, tries: int) -> int:
        """How many pauses so many wrong tries have come to."""
        return tries // self.free if self.afresh else max(0, tries - self.free + 1)

    def forget(self, row: "SignInTries", now: datetime) -> None:
        """Drop from a row what is too old to count."""
        paused = self.pauses(row.tries)
        if now - (row.until or row.since) > (MEMORY if paused else WINDOW):
            row.tries, row.since, row.until = 0, now, None
        elif paused and self.afresh and (now - row.since > WINDOW
                                         or (row.until and row.since < row.until)):
            row.tries, row.since = paused * self.free, now


PAIR = Brake(5, timedelta(hours=24), afresh=False)  # one account from one address
ADDRESS = Brake(20, timedelta(hours=1))  # which may be a whole office
LINE = Brake(100, timedelta(hours=1))  # all addresses of a /48, which one customer may have
NAMELESS = Brake(100, WINDOW)  # everybody, behind a proxy that does not say who they are


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
        brakes = _brakes(request, username or "")
        _count(brakes)
        user = super().authenticate(request, username, password, **more)
        if user is not None:
            _take_back(brakes)
        return user


def is_right(request: HttpRequest, user: Any, password: str) -> bool:
    """Whether this is the password of somebody signed in, counted like a sign-in.

    Raises TooManyTries.
    """
    brakes = _brakes(request, user.get_username())
    _count(brakes)
    if not user.check_password(password):
        return False
    _take_back(brakes)
    return True


def _brakes(request: HttpRequest, username: str) -> dict[str, Brake]:
    """Key -> brake of what a try counts for."""
    if address := address_of(request):
        line = address_of(request, NETWORK)
        return {_key(username.casefold(), address): PAIR, _key(address): ADDRESS,
                **({_key("line", line): LINE} if ":" in line else {})}
    proxy = request.META.get("REMOTE_ADDR", "")
    logger.warning("Sign-in of an unknown address: the proxy sends no X-Forwarded-For.",
                   extra={"proxy": proxy})
    return {_key("proxy", proxy, ""): NAMELESS}


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


@transaction.atomic
def _count(brakes: dict[str, Brake]) -> None:
    """Count a try before it is looked at, so that many at once are no more than the limit.

    Raises TooManyTries, and then counts nothing.
    """
    now = timezone.now()
    SignInTries.objects.bulk_create([SignInTries(key=key, since=now) for key in sorted(brakes)],
                                    ignore_conflicts=True)
    rows = list(SignInTries.objects.select_for_update().filter(key__in=brakes).order_by("key"))
    closed = [row.until for row in rows if row.until is not None and row.until > now]
    if closed:
        logger.warning("Sign-in refused for a while.", extra={"until": max(closed).isoformat()})
        raise TooManyTries(max(closed))
    for row in rows:
        brake = brakes[row.key]
        brake.forget(row, now)
        before, row.tries = brake.pauses(row.tries), row.tries + 1
        if (pauses := brake.pauses(row.tries)) > before:
            row.until = now + min(WINDOW * 2 ** min(pauses - 1, 10), brake.longest)
        row.save(update_fields=["tries", "since", "until"])
    SignInTries.objects.filter(since__lt=now - 7 * MEMORY).delete()


def _take_back(brakes: dict[str, Brake]) -> None:
    """The right password: this account starts anew here, and the address is given its try back.

    Only this try: who has one account cannot wipe out his guesses at the others.
    """
    strict = [key for key, brake in brakes.items() if not brake.afresh]
    SignInTries.objects.filter(key__in=strict).delete()
    rows = SignInTries.objects.filter(key__in=brakes.keys() - set(strict), tries__gt=0)
    rows.update(tries=models.F("tries") - 1, until=models.Case(
        models.When(until__gt=timezone.now(), then=None), default=models.F("until")))
