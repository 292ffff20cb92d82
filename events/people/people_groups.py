"""Which accounts share their people: the people group of each instance."""

from collections.abc import Iterable

from connections.models import Instance, by_id
from events.people import conversations

_last: dict[int, str] = {}  # the group an instance had when it was asked for last


def of(instance_ids: Iterable[int]) -> dict[int, str]:
    """The group of each instance, as it was within OMNI_INSTANCE_CACHE_SECONDS; "" of one that is
    gone, whose deliveries are kept all the same.

    Where one changed, conversations are looked up again: they are given a person of the new group.
    """
    found = {number: _group(number) for number in instance_ids}
    if any(_last.get(number, group) != group for number, group in found.items()):
        conversations.forget()
    _last.update(found)
    return found


def _group(instance_id: int) -> str:
    try:
        return by_id(instance_id).people_group
    except Instance.DoesNotExist:
        return ""
