"""Names that belong together, however they arrived. Pure."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def groups(bunches: Iterable[Sequence[Name]]) -> list[list[Name]]:
    """Bunches that share a name are one group; in it, names stand in the order they were met.

    `[a] [b c] [c a]` is the one group `[a b c]`.
    """
    order: dict[Name, int] = {}
    group_of: dict[Name, list[Name]] = {}
    for bunch in bunches:
        members = {other for name in bunch for other in group_of.get(name, [name])}
        for name in bunch:
            order.setdefault(name, len(order))
        group = sorted(members, key=order.__getitem__)
        group_of.update(dict.fromkeys(group, group))
    return list({id(group): group for group in group_of.values()}.values())
