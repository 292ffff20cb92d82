"""The only writer of `omni_put_aside`: dead letters and failed runs that need nothing more."""

from collections.abc import Iterable

from events.models import PutAside
from omni import audit

NOTE_MOST = 2000  # characters
_NAMES = {"dead_letter": "raw", "run": "run"}


def put_aside(kind: str, ids: Iterable[int], *, actor: str, note: str) -> int:
    """Say of rows that somebody looked at them; those put aside before stay as they are.

    kind: one of `PutAside.KINDS`. Returns how many rows were meant.
    """
    wanted, note = list(ids), note.strip()[:NOTE_MOST]
    PutAside.objects.bulk_create(
        [PutAside(kind=kind, row_id=id, note=note, actor=actor) for id in wanted],
        ignore_conflicts=True)
    for id in wanted:
        audit.note(actor, f"{kind}.put_aside", f"{_NAMES[kind]}:{id}", note=note)
    return len(wanted)
