"""Secrets as people paste them: harmless wrapping is taken off, and what can never prove anything
is told while somebody is still looking. Pure.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import field_validator

from connections.adapter import Config

# Below these it is a slip, not a secret. What senders dictate is often short, so no more is asked.
LEAST_CHARACTERS = 4  # of a token or passphrase; docs advise 32
LEAST_KEY_BYTES = 8  # of a Standard Webhooks key; the spec advises 24 to 64
PUBLIC_KEY_BYTES = 32  # Ed25519
SECRET_PREFIX, PUBLIC_PREFIX, PRIVATE_PREFIX = "whsec_", "whpk_", "whsk_"

_AROUND = " \t\r\n\x0b\x0c\xa0\u200b\u200c\u200d\u2060\ufeff"
_QUOTES = {('"', '"'), ("'", "'"), ("`", "`"), ("“", "”"), ("‘", "’"), ("„", "“"), ("«", "»")}
_VERSIONED = re.compile(rf"v1a?\s*,\s*(?={SECRET_PREFIX}|{PUBLIC_PREFIX})")
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")  # RFC 9110, 5.5: field-content


def unwrapped(text: str) -> str:
    """`text` without what copying put around it: blanks and line ends.

    Of a whsec_ or whpk_ key also quotes and a `v1,` before it, and blanks inside, which its
    alphabet does not have; of any other secret quotes may be a part.
    """
    text = key = text.strip(_AROUND)
    before = None
    while key != before:
        before, key = key, key.strip(_AROUND)
        if len(key) > 1 and (key[0], key[-1]) in _QUOTES:
            key = key[1:-1]
        key = _VERSIONED.sub("", key, count=1) if key.startswith("v1") else key
    if key.startswith((SECRET_PREFIX, PUBLIC_PREFIX)):
        return re.sub(rf"[{_AROUND}]+", "", key)
    return text


class Secrets(Config):
    """Base of every provider's credentials model: each text is taken unwrapped."""

    @field_validator("*", mode="before")
    @classmethod
    def _unwrap(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [unwrapped(item) if isinstance(item, str) else item for item in value]
        return unwrapped(value) if isinstance(value, str) else value


def named(credentials: Config, names: Sequence[str]) -> dict[str, str]:
    """The texts that are filled in, by their path: {"credentials.previous_secrets.0": "…"}."""
    found: dict[str, str] = {}
    for name in names:
        value = getattr(credentials, name)
        texts = {f"credentials.{name}.{place}": item for place, item in enumerate(value)} \
            if isinstance(value, list) else {f"credentials.{name}": value}
        found.update({path: text for path, text in texts.items() if text})
    return found


def wrong_in(texts: Mapping[str, str], fault: Any) -> dict[str, str]:
    """{path: why} of the texts in which `fault` (text -> why, "" when it is fine) finds one."""
    return {path: why for path, text in texts.items() if (why := fault(text))}


def passphrase_fault(text: str) -> str:
    """Why `text` cannot be the key of a signature ("" when it can)."""
    if len(text) < LEAST_CHARACTERS:
        return (f"has {len(text)} characters, which is guessed at once; use 32 random ones, "
                f"never fewer than {LEAST_CHARACTERS}")
    return ""


def header_fault(text: str) -> str:
    """Why no header could carry `text` ("" when one can)."""
    if _UNSENDABLE.search(text):
        return ("holds a line end or a character no HTTP header carries; use letters, digits "
                "and signs")
    return ""


def token_fault(text: str) -> str:
    """Why `text` cannot be the token of a header ("" when it can)."""
    return header_fault(text) or passphrase_fault(text)


def key_fault(text: str, *, may_be_public: bool = True) -> str:
    """Why `text` cannot be a Standard Webhooks key ("" when it can).

    Source: github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme".
    """
    if text.startswith(PRIVATE_PREFIX):
        return (f"is the sender's private key ({PRIVATE_PREFIX}…), which stays with the sender; "
                f"give its public key, {PUBLIC_PREFIX}…")
    is_public = text.startswith(PUBLIC_PREFIX)
    if is_public and not may_be_public:
        return f"is a public key, which signs nothing; give a {SECRET_PREFIX}… secret"
    encoded = text.removeprefix(PUBLIC_PREFIX if is_public else SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return (f"is not base64 after {SECRET_PREFIX} or {PUBLIC_PREFIX}, so no signature can "
                "fit it; copy it again from the sender's page")
    if is_public and len(key) != PUBLIC_KEY_BYTES:
        return f"is {len(key)} bytes long; an Ed25519 public key has {PUBLIC_KEY_BYTES}"
    if not is_public and len(key) < LEAST_KEY_BYTES:
        return (f"is {len(key)} bytes long, which is guessed at once; use 24 random ones "
                f"({SECRET_PREFIX} and their base64), never fewer than {LEAST_KEY_BYTES}")
    return ""
