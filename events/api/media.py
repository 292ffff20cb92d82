"""REST: the bytes of an attachment, fetched on first use and never run by a browser."""

import mimetypes
from urllib.parse import quote

from django.http import FileResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException, NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from connections.rest.views import VisibleRows
from events.models import Attachment
from events.store import media

# Types no browser runs anything of. What is not listed is served as plain bytes.
SAFE_TYPES = frozenset((
    "image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/ogg", "audio/mp4",
    "audio/aac", "audio/amr", "audio/wav", "audio/webm", "video/mp4", "video/webm", "video/3gpp",
    "text/plain"))
_EXTENSIONS = {"image/webp": ".webp", "audio/ogg": ".ogg", "audio/amr": ".amr",
               "audio/wav": ".wav"}
_POLICY = "sandbox; default-src 'none'"


class MediaGone(APIException):
    """410: the provider no longer has the file."""

    status_code, default_code = 410, "media_expired"


class MediaUnavailable(APIException):
    """502: the file could not be had now."""

    status_code, default_code = 502, "media_unavailable"


class AttachmentBytesView(VisibleRows, GenericAPIView):
    """The file of an event, by its position in the message."""

    scope = "read"
    queryset = Attachment.objects.select_related("event__instance")

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: str, position: int) -> HttpResponseBase:
        """Fetched from the provider on first use. 410: it is gone there; 502: not to be had now;
        503: the provider asks to come again after `Retry-After` seconds.
        """
        found = (self.get_queryset().filter(event_id=int(pk), position=position).first()
                 if pk.isdecimal() and len(pk) < 19 and position < 2 ** 15 else None)
        if found is None:
            raise NotFound("this event has no file at that position")
        attachment = media.fetch(found)
        if attachment.state == "expired":
            raise MediaGone(attachment.error)
        if attachment.state != "stored":
            raise MediaUnavailable(attachment.error)
        return as_response(attachment)


def as_response(attachment: Attachment) -> FileResponse:
    """A stored file, to be saved or shown as a picture, never opened as a page of ours."""
    kind = content_type(attachment.mime)
    response = FileResponse(media.path_of(attachment).open("rb"), content_type=kind)
    response["Content-Disposition"] = "attachment; filename*=UTF-8''" + quote(
        file_name(attachment), safe="", errors="replace")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = _POLICY
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def content_type(mime: str | None) -> str:
    """The sender's word where it is harmless, else application/octet-stream."""
    kind = _bare(mime)
    if kind == "text/plain":
        return "text/plain; charset=utf-8"
    return kind if kind in SAFE_TYPES else "application/octet-stream"


def file_name(attachment: Attachment) -> str:
    """The sender's name for the file without folders and control characters, or one of ours.

    Source: RFC 6266, section 4.3 and RFC 8187.
    """
    name = (attachment.filename or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(character for character in name if character.isprintable()).strip(". ")[:150]
    if name:
        return name
    kind = _bare(attachment.mime)
    ending = _EXTENSIONS.get(kind) or mimetypes.guess_extension(kind) or ""
    return f"{attachment.kind}-{attachment.event_id}-{attachment.position}{ending}"


def _bare(mime: str | None) -> str:
    return (mime or "").partition(";")[0].strip().lower()
