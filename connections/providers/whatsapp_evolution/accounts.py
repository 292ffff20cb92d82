"""The account itself: connected, lost, waiting for a QR code, created and removed."""

from typing import Any

from connections.envelope import EventDraft
from connections.providers.whatsapp_evolution.frame import Frame
from connections.providers.whatsapp_evolution.identity import bare
from connections.providers.whatsapp_evolution.scalars import (
    as_count,
    as_dict,
    as_int,
    as_moment,
    as_text,
    without_blanks,
)

CONNECTION_STATES = {"open": "connection.opened", "close": "connection.closed",
                     "closed": "connection.closed", "connecting": "connection.degraded",
                     "refused": "connection.limited"}
REVOKED_REASONS = frozenset({401, 403})  # logged out on the phone; banned
# event -> (kind, content) of bodies that say all in their name
NAMED = {
    "logout.instance": ("connection.revoked", {"connection": {"state": "logged out"}}),
    "remove.instance": ("connection.closed", {"connection": {"state": "removed"}}),
    "instance.create": ("record.created", {"record": {"type": "instance"}}),
    "instance.delete": ("record.deleted", {"record": {"type": "instance"}}),
    "application.startup": ("job.started", {"job": {"type": "evolution server"}}),
}


def read_connection(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """connection.update and status.instance."""
    entry = as_dict(item)
    state = (as_text(entry.get("state")) or as_text(entry.get("status"))).lower()
    kind = CONNECTION_STATES.get(state)
    if kind is None:
        return []
    reason = as_int(entry.get("statusReason", entry.get("disconnectionReasonCode")))
    if kind == "connection.closed" and reason in REVOKED_REASONS:
        kind = "connection.revoked"
    at = as_moment(entry.get("disconnectionAt"))
    connection = without_blanks({
        "state": state, "reason": reason, "account": bare(entry.get("wuid")),
        "profile_name": as_text(entry.get("profileName"))})
    failed = state != "open" and reason not in (None, 200)
    return [frame.draft(
        kind, frame.loose_key(state, reason, at=at), native=state, at=at, direction="internal",
        error_code=str(reason) if failed else None, content={"connection": connection})]


def read_qr(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """A QR code is a credential: the event says that there is one, never what it is."""
    entry = as_dict(item)
    code = as_dict(entry.get("qrcode"))
    if code:
        connection = without_blanks({"state": "waiting for scan",
                                     "count": as_count(code.get("count"))})
        return [frame.draft("connection.qr", frame.loose_key(_seal(code)), direction="internal",
                            content={"connection": connection})]
    message = as_text(entry.get("message"))
    reason = as_int(entry.get("statusCode"))
    if not message and reason is None:
        return []
    return [frame.draft(
        "connection.limited", frame.loose_key(message, reason), direction="internal",
        error_code=str(reason) if reason is not None else None, text=message or None,
        content={"connection": without_blanks({"state": "refused", "reason": reason})})]


def _seal(code: dict[str, Any]) -> list[str]:
    """What tells two codes apart; it only ever goes into a digest."""
    return [as_text(code.get(name)) for name in ("code", "pairingCode")]


def read_named(item: Any, frame: Frame, path: str) -> list[EventDraft]:
    """Events that carry next to nothing; their data may be null."""
    kind, content = NAMED[frame.event]
    content = {name: dict(facts) for name, facts in content.items()}
    if "record" in content:
        name = as_text(as_dict(item).get("instanceName")) or frame.instance
        content["record"] |= without_blanks({"name": name})
    return [frame.draft(kind, frame.loose_key(kind), direction="internal", content=content)]
