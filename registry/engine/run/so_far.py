"""Which events are stored at one moment: a wait that counts from its step leaves them out.

Ids are drawn before the commit, so an event with a lower id may come after one with a higher id.
"""

from events.models import Event
from omni import horizon
from registry.engine.waits.waiting import SoFar

MOST = 1_000  # ids that are listed; only a transaction that stays open long makes more


def so_far() -> SoFar:
    """The events that are stored now; transactions under way are waited for a moment."""
    floor = horizon.settled(Event)
    above = tuple(Event.objects.filter(pk__gt=floor).order_by("-pk").values_list(
        "pk", flat=True)[:MOST])
    return SoFar(above[-1] if len(above) == MOST else floor, above)
