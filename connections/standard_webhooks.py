"""Standard Webhooks signatures, both ways: v1 (HMAC) and v1a (Ed25519).

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connections.secrets.texts import PUBLIC_PREFIX, SECRET_PREFIX
from omni.errors import SignatureMismatch

TOLERANCE_SECONDS = 300
MAX_SIGNATURES = 10
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


def verify(body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str],
           now: datetime) -> str:
    """The proof's name, with the number of the secret that fitted: "standard-webhooks key 1".

    headers: names in lower case; Svix names are accepted too. secrets: whsec_... or whpk_...
    Raises SignatureMismatch.
    """
    message_id, timestamp, given = check_head(headers, secrets=secrets, now=now)
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    for number, secret in enumerate(secrets, start=1):
        if any(_fits(signature, secret=secret, signed=signed) for signature in given):
            return f"standard-webhooks key {number}"
    raise SignatureMismatch("no signature in webhook-signature fits a configured secret")


def check_head(headers: Mapping[str, str], *, secrets: Sequence[str],
               now: datetime) -> tuple[str, str, list[str]]:
    """What the headers say: (message id, timestamp, signatures), before the body is known.

    Raises SignatureMismatch when no body could fit them.
    """
    if not secrets:
        raise SignatureMismatch("no secret is configured; fill in credentials.secret")
    message_id, timestamp, signatures = (_header(headers, name)
                                         for name in ("id", "timestamp", "signature"))
    _check_age(timestamp, now=now)
    given = signatures.split(" ")
    if len(given) > MAX_SIGNATURES:
        raise SignatureMismatch(f"webhook-signature lists more than {MAX_SIGNATURES} signatures")
    return message_id, timestamp, given


def sign(body: bytes, *, message_id: str, timestamp: int, secret: str) -> str:
    """The value of webhook-signature. timestamp: Unix seconds.

    Raises SignatureMismatch when `secret` is not a whsec_ secret.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(_key(secret, SECRET_PREFIX), signed, sha256)
    return "v1," + base64.b64encode(digest).decode()


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(f"webhook-{name}") or headers.get(f"svix-{name}")
    if not value:
        raise SignatureMismatch(f"header webhook-{name} is missing")
    return value


def _check_age(timestamp: str, *, now: datetime) -> None:
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureMismatch("webhook-timestamp is not a number of seconds")
    age = now.timestamp() - int(timestamp)
    if abs(age) > TOLERANCE_SECONDS:
        raise SignatureMismatch(f"webhook-timestamp is {age:.0f} s old; {TOLERANCE_SECONDS} s are "
                                "allowed, both ways")


def _fits(signature: str, *, secret: str, signed: bytes) -> bool:
    version, _, encoded = signature.partition(",")
    try:
        given = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return False
    is_public = secret.startswith(PUBLIC_PREFIX)
    if version == "v1" and not is_public:
        return hmac.compare_digest(hmac.digest(_key(secret, SECRET_PREFIX), signed, sha256), given)
    if version == "v1a" and is_public:
        return _ed25519_fits(given, _key(secret, PUBLIC_PREFIX), signed)
    return False


def _ed25519_fits(signature: bytes, key: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        return False
    except ValueError as exc:
        raise SignatureMismatch("the whpk_ key is not 32 bytes long") from exc
    return True


def _key(secret: str, prefix: str) -> bytes:
    encoded = secret.removeprefix(prefix)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise SignatureMismatch(f"a configured secret is not {prefix} and base64") from exc
    if not key:
        raise SignatureMismatch("a configured secret is empty")
    return key
