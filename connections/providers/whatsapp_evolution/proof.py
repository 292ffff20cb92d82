"""Proves that a webhook came from the configured server: a static header, or its JWT.

Evolution API signs no body. Its global webhook sends no headers at all, so only a webhook set per
instance can be proved. Source: webhook controller of Evolution API 2.3.6; RFC 7519.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from omni.errors import SignatureMismatch

# The token lives 600 s but is made once for all retries, which go on for about 1215 s.
LATE_SECONDS = 600
EARLY_SECONDS = 300
LONGEST_LIFE_SECONDS = 3600
MAX_TOKEN_LENGTH = 4096


def prove(headers: Mapping[str, str], *, header: str, secrets: list[tuple[str, str]],
          jwt_keys: list[tuple[str, str]], now: datetime) -> str:
    """The name of the proof that holds.

    headers: names in lower case. secrets, jwt_keys: (name, value); empty values never match.
    Raises SignatureMismatch.
    """
    given = headers.get(header.lower(), "")
    for name, secret in secrets:
        if secret and given and hmac.compare_digest(_bytes(given), _bytes(secret)):
            return f"header {header.lower()} ({name})"
    keys = [(name, key) for name, key in jwt_keys if key]
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if keys and scheme.lower() == "bearer" and token:
        return _prove_token(token.strip(), keys, now=now.timestamp())
    if not keys and not any(secret for _, secret in secrets):
        raise SignatureMismatch(
            "no webhook_secret and no jwt_key is configured; set one, or allow_unsigned on "
            "purpose")
    raise SignatureMismatch(f"neither the header {header.lower()} nor a bearer token matches")


def _prove_token(token: str, keys: list[tuple[str, str]], *, now: float) -> str:
    parts = token.split(".")
    if len(token) > MAX_TOKEN_LENGTH or len(parts) != 3:
        raise SignatureMismatch("the bearer token is not a JWT")
    if _json(parts[0]).get("alg") != "HS256":
        raise SignatureMismatch("the bearer token is not signed with HS256")
    signed, signature = f"{parts[0]}.{parts[1]}".encode("ascii", "replace"), _decode(parts[2])
    for name, key in keys:
        expected = hmac.new(_bytes(key), signed, hashlib.sha256).digest()
        if hmac.compare_digest(signature, expected):
            _check_claims(_json(parts[1]), now=now)
            return f"jwt ({name})"
    raise SignatureMismatch("the bearer token's signature does not match")


def _check_claims(claims: dict[str, Any], *, now: float) -> None:
    issued, expires = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    if issued is None or expires is None:
        raise SignatureMismatch("the bearer token has no iat or no exp")
    if claims.get("app") != "evolution" or claims.get("action") != "webhook":
        raise SignatureMismatch("the bearer token was not made for a webhook of Evolution")
    if not now - LATE_SECONDS <= expires <= now + LONGEST_LIFE_SECONDS:
        raise SignatureMismatch("the bearer token has expired or lives too long")
    if issued > now + EARLY_SECONDS:
        raise SignatureMismatch("the bearer token is from the future; check the clocks")


def _seconds(value: Any) -> float | None:
    """A NumericDate; a NaN compares as wrong everywhere, an endless integer is none."""
    is_number = type(value) in (int, float) and abs(value) < 1e12
    return float(value) if is_number else None


def _decode(part: str) -> bytes:
    """Strict base64url without padding."""
    try:
        text = part.encode("ascii")
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise SignatureMismatch("the bearer token is not base64url") from exc


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part))
    except (ValueError, RecursionError) as exc:
        raise SignatureMismatch("the bearer token is not JSON") from exc
    if not isinstance(value, dict):
        raise SignatureMismatch("the bearer token is not a JSON object")
    return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
