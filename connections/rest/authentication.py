"""How a request proves who it is: a key in a header, or a signed-in session."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission

from connections.access import ApiKey, Principal, principal_of
from connections.rest import wrong_keys
from omni.errors import RateLimited
from omni.web.peer import peer_of

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class KeyUser:
    """Stands in `request.user` for a program; knows its principal."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_superuser = False
    is_staff = False
    pk = None

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    def get_username(self) -> str:
        return self.principal.name


class ApiKeyAuthentication(BaseAuthentication):
    """`x-api-key: <key>` or `Authorization: Bearer <key>`; never a query parameter."""

    def authenticate(self, request):
        text = request.headers.get("x-api-key", "")
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if not text and scheme.lower() == "bearer":
            text = rest.strip()
        if not text:
            return None
        peer = peer_of(request.META.get("REMOTE_ADDR", ""),
                       request.headers.get("x-forwarded-for", ""))
        try:
            key = wrong_keys.brake.find(text, sender=peer)
        except RateLimited as exc:
            raise Throttled(exc.retry_after, exc.message) from exc
        if key is None:
            raise AuthenticationFailed("Invalid API key")
        _note_use(key)
        return KeyUser(key.principal()), key

    def authenticate_header(self, request) -> str:
        return "ApiKey"


def _note_use(key: ApiKey) -> None:
    """Write the last use at most once a minute, so that reading costs no write."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def principal(request) -> Principal:
    """The principal of an authenticated DRF or Django request, kept on the request."""
    base = getattr(request, "_request", request)
    if not hasattr(base, "omni_principal"):
        user = request.user
        base.omni_principal = getattr(user, "principal", None) or principal_of(user)
    return base.omni_principal


class HasScope(BasePermission):
    """The view's `scope` (reading) and `write_scope` (anything else) against the principal."""

    def has_permission(self, request, view) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        read = getattr(view, "scope", "read")
        write = getattr(view, "write_scope", "admin")
        return principal(request).may(read if request.method in SAFE_METHODS else write)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema):
        return {"type": "apiKey", "in": "header", "name": "x-api-key"}
