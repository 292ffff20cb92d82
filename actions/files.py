"""The files an action is given as `event.media`: their bytes, and what they really are."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from connections.models import Instance
from events.models import Attachment
from events.store import media
from omni.errors import InvalidParams, Rejected, Unavailable

_SIGNATURES = (  # the first bytes of pictures vision models take
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))


class Media(BaseModel):
    """A file as expressions see it (`event.media`); only its number counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: int = Field(ge=1, le=2 ** 63 - 1, description="Our number of the attachment.")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment with its bytes."""

    attachment: Attachment
    data: bytes


def find(wanted: Media, *, instance: Instance) -> Attachment:
    """The attachment of an event of this instance. Raises InvalidParams; others' do not exist."""
    found = Attachment.objects.select_related("event__instance", "event__conversation").filter(
        pk=wanted.id, event__instance_id=instance.pk).first()
    if found is None:
        raise InvalidParams(f"instance '{instance.slug}' has no file {wanted.id}; give event.media",
                            details={"media": "unknown file"})
    return found


def read(attachment: Attachment) -> File:
    """The bytes, fetched from the provider when they are not here yet.

    Raises Rejected when the provider no longer has them, Unavailable when that may pass, as
    RateLimited when the provider asks us to wait.
    """
    fetched = media.fetch(attachment)
    if fetched.state == "expired":
        raise Rejected(f"the file is gone: {fetched.error}", status=410)
    if fetched.state != "stored":
        raise Unavailable(f"the file cannot be had now: {fetched.error}")
    return File(fetched, media.path_of(fetched).read_bytes())


def picture_type(data: bytes) -> str:
    """The media type of a picture by its first bytes, "" for what is none; names may lie."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _SIGNATURES if data.startswith(start)), "")


def bare_type(attachment: Attachment) -> str:
    """`audio/ogg` of `audio/ogg; codecs=opus`."""
    return (attachment.mime or "").partition(";")[0].strip().lower()
