"""Hop 5: one archived delivery becomes drafts. Pure but for the adapter it asks; used by the front
door, the spool and replay alike, so that all three understand a body in the same way.
"""

import logging
from dataclasses import dataclass, field

from connections.adapter import Account, Adapter, Delivery
from connections.envelope import KIND_MAX_LENGTH, UNMAPPED, EventDraft, is_kind
from connections.payload import Unparsable

logger = logging.getLogger("omni.events")


@dataclass(slots=True)
class Understood:
    """What a delivery says. reason: why it became no events ("" when it did); detail: for people.

    flags: what was odd but could be kept (dup_keys, sanitized, unknown_kind).
    """

    drafts: list[EventDraft] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    reason: str = ""
    detail: str = ""


def understand(delivery: Delivery, *, adapter: Adapter, account: Account) -> Understood:
    """Parse and map; what cannot be understood is a reason, never an exception."""
    try:
        parsed = adapter.parse(delivery, account)
        drafts = adapter.normalize(parsed.value, delivery, account)
    except Unparsable as exc:
        return Understood(reason=exc.code, detail=exc.message)
    except Exception as exc:  # around a request: a mapping error must not lose the delivery
        logger.exception("Mapping failed.", extra={"provider": adapter.name,
                                                   "instance": account.slug})
        return Understood(reason="mapping_error", detail=f"{type(exc).__name__}: {exc}")
    found = Understood(drafts, sorted(parsed.flags))
    if not drafts:
        found.reason, found.detail = "no_events", "the adapter made no event of this body"
    for index, draft in enumerate(drafts):
        draft.raw_index = draft.raw_index or index
        draft.normalizer = draft.normalizer or adapter.normalizer
        if not is_kind(draft.event_type) or len(draft.event_type) > KIND_MAX_LENGTH:
            draft.provider_event_type = draft.provider_event_type or draft.event_type
            draft.event_type = UNMAPPED
            found.flags.append("unknown_kind")
    return found
