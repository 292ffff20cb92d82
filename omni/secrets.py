"""Fields that are ciphertext in the database, and the key ring that opens them.

Format: `v1:<key id>:<nonce>:<ciphertext>`, AES-256-GCM, bound to table and column. The first key
of OMNI_ENCRYPTION_KEYS encrypts, all of them decrypt, so a key is rotated by putting a new one in
front and running `manage.py rotate_secrets`.
"""

import base64
import hashlib
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models

from omni.errors import NotConfigured

_NONCE_BYTES = 12


def _ring() -> dict[str, AESGCM]:
    """Key id -> cipher, the first entry being the one that encrypts."""
    ring = {}
    for text in settings.OMNI_ENCRYPTION_KEYS:
        key = hashlib.sha256(text.encode()).digest()
        ring[hashlib.sha256(key).hexdigest()[:8]] = AESGCM(key)
    return ring


def encrypt(text: str, *, place: str) -> str:
    """Ciphertext of `text`. place: `table.column`, checked again when it is opened."""
    key_id, cipher = next(iter(_ring().items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = cipher.encrypt(nonce, text.encode(), place.encode())
    return ":".join(("v1", key_id, _encode(nonce), _encode(sealed)))


def decrypt(sealed: str, *, place: str) -> str:
    """The text in `sealed`. Raises NotConfigured when no key of the ring opens it."""
    _, key_id, nonce, body = (sealed.split(":") + [""] * 4)[:4]
    cipher = _ring().get(key_id)
    try:
        if cipher is None:
            raise InvalidTag
        return cipher.decrypt(_decode(nonce), _decode(body), place.encode()).decode()
    except ValueError:
        raise NotConfigured(f"{place} holds no ciphertext; enter its value again",
                            setting="OMNI_ENCRYPTION_KEYS") from None
    except InvalidTag:
        raise NotConfigured(
            f"{place} was encrypted with key {key_id}, which OMNI_ENCRYPTION_KEYS does not hold "
            "(or it was copied from another column); put that key back at the end of the list",
            setting="OMNI_ENCRYPTION_KEYS") from None


def is_current(sealed: str) -> bool:
    """Whether the first key of the ring made this ciphertext."""
    return sealed.split(":", 2)[1] == next(iter(_ring()))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)


class EncryptedJSONField(models.TextField):
    """JSON that is ciphertext at rest; reads and writes plain Python data with its types."""

    description = "Encrypted JSON"

    def _place(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        return encrypt(json.dumps(value, ensure_ascii=False), place=self._place())

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(decrypt(value, place=self._place()))

    def to_python(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: Any) -> str:
        return ""  # never part of a dump
