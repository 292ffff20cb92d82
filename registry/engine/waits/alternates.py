"""The other ids one place or one person has: what is waited for under one is met under another.

Asked once for a batch, and only for the columns that open waits name.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from registry.engine.waits import waiting

_MERGED = """
SELECT w.id, g.id FROM unnest(%s::bigint[]) AS w(id) JOIN {table} c ON c.id = w.id
JOIN {table} k ON k.id = coalesce(c.merged_into_id, c.id)
JOIN {table} g ON g.id = k.id OR g.merged_into_id = k.id
"""
_SAME = {  # column of an event -> pairs of ids that are the same
    "conversation_id": _MERGED.format(table="omni_conversations"),
    "contact_id": _MERGED.format(table="omni_contacts"),
    "actor_id": """
        SELECT w.id, g.id FROM unnest(%s::bigint[]) AS w(id) JOIN omni_handles h ON h.id = w.id
        JOIN omni_handles g ON g.contact_id = h.contact_id AND g.provider = h.provider"""}
Alternates = dict[str, dict[int, list[int]]]
MOST = 64  # digests that one set of pairs may have


def of(names: Iterable[str], values: Iterable[Mapping[str, Any]]) -> Alternates:
    """{column: {id: ids that are the same}} for those of `names` that have other ids.

    values: events, or what stands in waits for them.
    """
    values = list(values)
    found: Alternates = {}
    for name in _SAME.keys() & set(names):
        ids = {value for row in values if _is_id(value := row.get(name))}
        if not ids:
            continue
        same = found.setdefault(name, {})
        with connection.cursor() as cursor:
            cursor.execute(_SAME[name], [sorted(ids)])
            for id, other in cursor.fetchall():
                same.setdefault(id, []).append(other)
    return found


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def digests(pairs: Mapping[str, Any], same: Alternates) -> set[str]:
    """The digests of equality pairs under every id that is the same; none for a pair of null."""
    names = list(pairs)
    choices = [{pairs[name]: None, **dict.fromkeys(same[name].get(pairs[name], ()))}
               if name in same and _is_id(pairs[name]) else [pairs[name]]
               for name in names]
    return {waiting.pairs_digest(dict(zip(names, chosen, strict=True)))[1]
            for chosen in itertools.islice(itertools.product(*choices), MOST)} - {waiting.NEVER}
