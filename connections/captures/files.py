"""Captured deliveries on disk: which files are bodies, what their sidecars say, whose they are.

`order.json` is a body; `order.headers.json` gives its {method, path, query, headers, transport,
url}; `_instance.json` in a folder gives {provider, slug, settings, credentials, own_ids, now,
transport}.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connections.adapter import Delivery
from omni.errors import InvalidInput

SIDECAR, INSTANCE = ".headers.json", "_instance.json"
CONTENT_TYPES = {
    ".json": "application/json", ".jsonl": "application/json", ".eml": "message/rfc822",
    ".form": "application/x-www-form-urlencoded", ".xml": "application/xml",
    ".ics": "text/calendar", ".body": "", ".empty": ""}
FOLDERS = {"evolution": "whatsapp_evolution", "sms_kannel": "kannel",
           "calendar": "calendar_google"}
MAX_LEVELS = 2  # folders above a capture that may name its provider
PUBLIC_URL = "https://omni.example"


@dataclass(frozen=True, slots=True)
class Capture:
    """One delivery as it was captured. name: file, and line where a file holds several."""

    name: str
    folder: Path
    body: bytes
    suffix: str
    sidecar: dict[str, Any] = field(default_factory=dict)
    has_sidecar: bool = False

    @property
    def is_answer(self) -> bool:
        """An answer of the provider to a call of ours: it has a status and is no delivery."""
        return "status" in self.sidecar

    def delivery(self, *, provider: str, slug: str, now: datetime, transport: str) -> Delivery:
        """The request as the front door would see it.

        transport: of captures that do not say how they came in.
        """
        path, _, query = str(self.sidecar.get("path", "")).partition("?")
        query = _query(self.sidecar.get("query")) or query
        headers = {name.lower(): _header(value)
                   for name, value in dict(self.sidecar.get("headers") or {}).items()}
        if CONTENT_TYPES[self.suffix]:
            headers.setdefault("content-type", CONTENT_TYPES[self.suffix])
        path = path.strip("/")
        url = f"{PUBLIC_URL}/webhooks/{provider}/{slug}/{path}"
        return Delivery(
            body=self.body, headers=headers, path=path, query=query, received_at=now,
            method=str(self.sidecar.get("method", "POST")).upper(),
            url=self.sidecar.get("url") or (f"{url}?{query}" if query else url),
            transport=self.sidecar.get("transport") or transport)


def find(path: Path) -> Iterator[Capture]:
    """Every capture at `path`, a file or a folder with its sub folders, in name order.

    Raises InvalidInput when there is nothing at `path` or a sidecar cannot be read.
    """
    if path.is_file():
        yield from _read(path)
        return
    if not path.is_dir():
        raise InvalidInput(f"there is no file or folder {path}")
    for entry in sorted(path.rglob("*")):
        if is_body(entry):
            yield from _read(entry)


def is_body(path: Path) -> bool:
    return (path.is_file() and path.suffix in CONTENT_TYPES and path.name != INSTANCE
            and not path.name.endswith(SIDECAR))


def instance_of(folder: Path, *, known: Collection[str]) -> dict[str, Any] | None:
    """What `_instance.json` says in `folder`, or above it up to the provider's folder.

    None when there is none.
    """
    for place in _homes(folder):
        if (place / INSTANCE).is_file():
            return read_object(place / INSTANCE)
        if _provider(place) in known:
            return None
    return None


def provider_of(folder: Path, *, known: Collection[str]) -> str:
    """The provider `folder` or a folder just above it is named after.

    Raises InvalidInput with the ways to say it.
    """
    for place in _homes(folder):
        if _provider(place) in known:
            return _provider(place)
    raise InvalidInput(f"no provider is named like the folder {folder}; say --provider NAME or "
                       f'{{"provider": NAME}} in {INSTANCE}; known: {", ".join(sorted(known))}')


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises InvalidInput."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise InvalidInput(f"cannot read {path}: {exc}") from exc
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} must hold one JSON object")
    return found


def _homes(folder: Path) -> tuple[Path, ...]:
    return (folder, *folder.parents[:MAX_LEVELS])


def _provider(folder: Path) -> str:
    return FOLDERS.get(folder.name, folder.name)


def _read(path: Path) -> Iterator[Capture]:
    sidecar = _sidecar(path)
    body = path.read_bytes()
    facts: dict[str, Any] = {"folder": path.resolve().parent, "suffix": path.suffix,
                             "sidecar": sidecar or {}, "has_sidecar": sidecar is not None}
    if path.suffix not in CONTENT_TYPES:
        known = " ".join(CONTENT_TYPES)
        raise InvalidInput(f"{path} is no body file; known endings: {known}")
    if path.suffix != ".jsonl":
        yield Capture(name=str(path), body=body, **facts)
        return
    for number, line in enumerate(body.splitlines(), start=1):
        if line.strip():
            yield Capture(name=f"{path}:{number}", body=line, **facts)


def _sidecar(path: Path) -> dict[str, Any] | None:
    for place in (path.with_suffix(SIDECAR), path.with_name(path.name + SIDECAR)):
        if place.is_file():
            return read_object(place)
    return None


def _query(value: Any) -> str:
    if isinstance(value, dict):
        return urlencode(value, doseq=True)
    return str(value or "").removeprefix("?")


def _header(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
