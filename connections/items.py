"""The items of one delivery are mapped each for itself: one that fails takes no other with it."""

import logging
from collections.abc import Callable, Iterable

from connections.envelope import UNMAPPED, EventDraft

logger = logging.getLogger("omni.connections")

MAPPING_ERROR = "mapping_error"  # flag of an item whose mapping failed; see `unmapped`
Reading = tuple[Callable[[], list[EventDraft]], Callable[[], EventDraft]]


def map_each(readings: Iterable[Reading]) -> list[EventDraft]:
    """The drafts of all items, each with the place of its item as `raw_index`.

    readings: per item, what maps it and what makes the draft that stands for it when that fails;
    the latter becomes `event.unmapped` with the reason, so that a replay can map it later.
    Raises the error of the mapping where no item could be mapped: the delivery is a dead letter.
    """
    drafts: list[EventDraft] = []
    failed: list[Exception] = []
    count = 0
    for index, (read, instead) in enumerate(readings):
        count += 1
        try:
            found = read()
        except Exception as exc:  # around an item, as `events.store.normalize` is around a request
            failed.append(exc)
            found = [_failed(instead(), exc)]
        for draft in found:
            draft.raw_index = index
        drafts += found
    if failed and len(failed) == count:
        raise failed[0]
    for exc in failed:
        logger.error("Mapping of an item failed.", exc_info=exc)
    return drafts


def _failed(draft: EventDraft, exc: Exception) -> EventDraft:
    draft.event_type = UNMAPPED
    draft.content = {"reason": f"the mapping failed: {type(exc).__name__}"}
    draft.context.setdefault("flags", []).append(MAPPING_ERROR)
    return draft
