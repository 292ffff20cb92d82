"""The bytes of attachments: from the archived body or from the provider, kept by their content.

Files lie under MEDIA_ROOT, named by sha256 and nothing else, so that no sender chooses a path and
the same file of two messages is one file.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from connections import envelope
from connections.payload import Unparsable
from events.models import Attachment, RawPayload
from events.store import archive, durable
from omni.errors import Held, OmniError, RateLimited, Rejected

_GONE = (403, 404, 410)  # what storages answer for a file they no longer give out
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


class _Unusable(Exception):
    """Bytes that cannot be kept; the text is the reason."""


def fetch(attachment: Attachment) -> Attachment:
    """Bring the bytes of an attachment here; its state and error say how that ended.

    stored: `path_of` has them. failed: the reason may pass, the next call tries again. expired:
    the provider no longer has them, which is final. Calling it again costs nothing.
    Raises RateLimited, with the state failed, when the provider asks us to come again later.
    """
    if attachment.state == "expired" or (attachment.state == "stored"
                                         and path_of(attachment).is_file()):
        return attachment
    try:
        data = _bytes_of(attachment)
        _check(attachment, data)
    except _Unusable as exc:
        return _settle(attachment, "failed", error=str(exc))
    except Held:
        raise  # it was not asked for
    except RateLimited as exc:
        _settle(attachment, "failed", error=exc.message)
        raise
    except OmniError as exc:
        return _settle(attachment, "expired" if _is_gone(attachment, exc) else "failed",
                       error=exc.message)
    return _settle(attachment, "stored", key=_keep(data))


def path_of(attachment: Attachment) -> Path:
    """Where the bytes of a stored attachment lie."""
    return Path(settings.MEDIA_ROOT) / attachment.storage_key


def _bytes_of(attachment: Attachment) -> bytes:
    """The bytes; small mercies first: what is in the archive needs no call.

    Raises _Unusable and the errors of `Adapter.fetch_media`.
    """
    if (attachment.size_bytes or 0) > settings.OMNI_MEDIA_MAX_BYTES:
        raise _Unusable(_too_large(attachment.size_bytes or 0))
    if attachment.inline_path:
        return _inline(attachment, attachment.inline_path)
    event = attachment.event
    wanted = envelope.Attachment(**{field.name: getattr(attachment, field.name)
                                    for field in fields(envelope.Attachment)})
    return event.instance.adapter.fetch_media(
        wanted, event.provider_message_id or event.target_message_id or "",
        event.instance.account())


def _inline(attachment: Attachment, path: str) -> bytes:
    """Base64 text, or plain bytes, at a dotted path of the archived payload."""
    event = attachment.event
    try:
        raw = archive.read(event.raw_id or 0)
    except RawPayload.DoesNotExist:
        raise Rejected("the body that held the file is no longer archived", status=410) from None
    try:
        value: Any = event.instance.adapter.parse(
            archive.as_delivery(raw), event.instance.account()).value
        for name in path.split("."):
            value = value[int(name)] if isinstance(value, list) else value[name]
    except (Unparsable, LookupError, TypeError, ValueError):
        raise _Unusable(f"the archived body has nothing at {path}") from None
    if isinstance(value, bytes):
        return value
    try:
        text = value.partition(",")[2] if value.startswith("data:") else value
        return base64.b64decode("".join(text.split()), validate=True)
    except (AttributeError, binascii.Error, ValueError):
        raise _Unusable(f"what the archived body has at {path} is no base64") from None


def _check(attachment: Attachment, data: bytes) -> None:
    if not data:
        raise _Unusable("the file is empty")
    if len(data) > settings.OMNI_MEDIA_MAX_BYTES:
        raise _Unusable(_too_large(len(data)))
    told = attachment.sha256 or ""
    if _SHA256.fullmatch(told) and hashlib.sha256(data).hexdigest() != told.lower():
        raise _Unusable("the bytes are not those of the message: sha256 differs")


def _too_large(size: int) -> str:
    return (f"the file has {size} bytes, more than OMNI_MEDIA_MAX_BYTES "
            f"({settings.OMNI_MEDIA_MAX_BYTES})")


def _is_gone(attachment: Attachment, exc: OmniError) -> bool:
    """Whether trying again is of no use: the address is past its time, or the answer says so."""
    if isinstance(exc, Rejected):
        return exc.status in _GONE
    expires = attachment.url_expires_at
    return exc.code == "unavailable" and expires is not None and expires <= timezone.now()


def _keep(data: bytes) -> str:
    """Write the bytes once, to disk; returns the storage key."""
    digest = hashlib.sha256(data).hexdigest()
    key = f"{digest[:2]}/{digest}"
    path = Path(settings.MEDIA_ROOT) / key
    if path.is_file() and path.stat().st_size == len(data):
        return key
    durable.write(path, data)
    return key


def _settle(attachment: Attachment, state: str, *, key: str = "", error: str = "") -> Attachment:
    attachment.state, attachment.storage_key, attachment.error = state, key, error[:500]
    attachment.save(update_fields=["state", "storage_key", "error"])
    return attachment
