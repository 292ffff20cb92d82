"""Who is at the other end of a socket, asked again while it is open: a signed-in person by the
session, a program by its key.
"""

from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from django.utils import timezone

from connections.access import ApiKey, Principal, principal_of
from connections.rest import wrong_keys


@dataclass(frozen=True, slots=True)
class Caller:
    """Proof of one socket. Exactly one of both is set."""

    session_key: str = ""
    key_id: int | None = None

    def principal(self) -> Principal | None:
        """Their rights as they are now; None once signed out, switched off, revoked or expired."""
        if self.session_key:
            return _person(self.session_key)
        key = ApiKey.objects.filter(pk=self.key_id, revoked_at__isnull=True).first()
        if key is None or (key.expires_at and key.expires_at <= timezone.now()):
            return None
        return key.principal()


def of_session(cookies: str) -> Caller | None:
    """The signed-in person of a browser. cookies: the header of its handshake."""
    session_key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    if not session_key or _person(session_key) is None:
        return None
    return Caller(session_key=session_key)


def of_key(text: str, *, sender: str) -> Caller | None:
    """sender: as `omni.web.peer.peer_of` gives it. Raises RateLimited when it guesses."""
    key = wrong_keys.brake.find(text, sender=sender) if text else None
    return Caller(key_id=key.pk) if key else None


def _person(session_key: str) -> Principal | None:
    """Reads the session anew, so that signing out and a changed password count."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    request = HttpRequest()
    request.session = store
    user = get_user(request)
    return principal_of(user) if user.is_authenticated and user.is_active else None
