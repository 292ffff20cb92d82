"""Names a visitor and proves the name: `<visitor>.<mac>`, keyed by the instance's secret. Pure.

Changing the secret ends every conversation's token; the page then hands out new ones.
"""

import base64
import hashlib
import hmac
import re
import secrets

from omni.errors import SignatureMismatch

VISITOR = re.compile(r"v_[A-Za-z0-9_-]{22}", re.ASCII)
TOKEN_HEADER = "x-omni-visitor"


def is_visitor(name: str) -> bool:
    return VISITOR.fullmatch(name) is not None


def issue(*, slug: str, secret: str) -> str:
    """The token of a new visitor. Raises SignatureMismatch when there is no secret to sign with."""
    visitor = f"v_{secrets.token_urlsafe(16)}"
    return f"{visitor}.{_mac(visitor, slug=slug, secret=secret)}"


def visitor_of(token: str, *, slug: str, secret: str) -> str:
    """The visitor a token proves. Raises SignatureMismatch."""
    visitor, _, mac = token.partition(".")
    if not is_visitor(visitor):
        raise SignatureMismatch("the visitor token is missing or has another form")
    expected = _mac(visitor, slug=slug, secret=secret)
    if not hmac.compare_digest(mac.encode("utf-8", "replace"), expected.encode()):
        raise SignatureMismatch("the visitor token was not issued for this chat")
    return visitor


def _mac(visitor: str, *, slug: str, secret: str) -> str:
    if not secret:
        raise SignatureMismatch(f"instance '{slug}' has no credentials.secret to prove visitors by")
    key = hmac.new(secret.encode(), b"omni webchat visitor:" + slug.encode(), hashlib.sha256)
    digest = hmac.new(key.digest(), visitor.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
