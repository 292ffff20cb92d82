"""The statements on `omni_conversations` and its aliases: one for a whole batch each.

Updates hold their rows by id first: which order an UPDATE with a FROM takes is up to the planner.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple

from django.db import connection

from connections.storable import storable_json

Key = tuple[int, str]  # instance id, ref
_FIND = """
SELECT w.instance_id, w.ref, coalesce(a.merged_from_id, c.id), c.kind, p.id IS NULL, a.is_guess
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text)
JOIN omni_conversation_aliases a ON a.instance_id = w.instance_id AND a.ref = w.ref
JOIN omni_conversations c ON c.id = a.conversation_id
JOIN omni_instances i ON i.id = c.instance_id
LEFT JOIN omni_contacts p ON p.id = c.contact_id AND p.people_group = i.people_group
UNION ALL
SELECT w.instance_id, w.ref, c.id, c.kind, p.id IS NULL, coalesce(a.is_guess, false)
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text)
JOIN omni_conversations c ON c.instance_id = w.instance_id AND c.ref = w.ref
LEFT JOIN omni_conversation_aliases a ON a.instance_id = w.instance_id AND a.ref = w.ref
JOIN omni_instances i ON i.id = c.instance_id
LEFT JOIN omni_contacts p ON p.id = c.contact_id AND p.people_group = i.people_group
"""  # a row of its own is read after an alias, and counts
_MAKE = """
INSERT INTO omni_conversations (instance_id, ref, kind, title, tags, created_at)
SELECT instance_id, ref, kind, title, '[]', now()
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text, kind text, title text)
ORDER BY instance_id, ref
ON CONFLICT (instance_id, ref) DO NOTHING
"""
_ALIAS = """
INSERT INTO omni_conversation_aliases (instance_id, ref, conversation_id, merged_from_id, is_guess)
SELECT w.instance_id, w.ref, coalesce(c.merged_into_id, c.id),
       CASE WHEN c.merged_into_id IS NOT NULL THEN c.id END, w.is_guess
FROM jsonb_to_recordset(%s::jsonb)
    AS w(instance_id bigint, ref text, conversation_id bigint, is_guess boolean)
JOIN omni_conversations c ON c.id = w.conversation_id
ORDER BY w.instance_id, w.ref FOR KEY SHARE OF c
ON CONFLICT (instance_id, ref) DO NOTHING
"""
_TARGETS = """
SELECT DISTINCT ON (t.instance_id, t.provider_message_id)
       t.instance_id, t.provider_message_id, c.id, c.kind IN ('direct', '') AND t.from_me
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, message text)
JOIN omni_events t ON t.instance_id = w.instance_id AND t.provider_message_id = w.message
    AND t.event_type LIKE 'message.%%'
JOIN omni_conversations c ON c.id = t.conversation_id
ORDER BY t.instance_id, t.provider_message_id, t.id
"""
_NAMES = """
SELECT w.id, n.ref FROM unnest(%s::bigint[]) AS w(id)
JOIN omni_conversations c ON c.id = w.id
JOIN omni_conversations k ON k.id = coalesce(c.merged_into_id, c.id)
CROSS JOIN LATERAL (SELECT k.ref UNION SELECT a.ref FROM omni_conversation_aliases a
                    WHERE a.conversation_id = k.id) n
"""
_RETITLE = """
UPDATE omni_conversations c SET title = w.title
FROM (SELECT w.* FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, title text)
      JOIN omni_conversations held ON held.id = w.id AND held.title <> w.title
      ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE c.id = w.id
"""
_FILL_KIND = """
UPDATE omni_conversations c SET kind = w.kind
FROM (SELECT w.* FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, kind text)
      JOIN omni_conversations held ON held.id = w.id AND held.kind = ''
      ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE c.id = w.id
"""
_FILL_CONTACT = """
UPDATE omni_conversations c SET contact_id = w.contact_id
FROM (SELECT w.* FROM jsonb_to_recordset(%s::jsonb) AS w(id bigint, contact_id bigint, ref text)
      JOIN omni_conversations held ON held.id = w.id AND held.kind IN ('direct', '')
      JOIN omni_instances i ON i.id = held.instance_id
      LEFT JOIN omni_contacts p ON p.id = held.contact_id AND p.people_group = i.people_group
      WHERE p.id IS NULL
      AND (held.kept_apart = '[]' OR held.ref = w.ref OR EXISTS (
          SELECT 1 FROM omni_conversation_aliases a WHERE a.instance_id = held.instance_id
          AND a.ref = w.ref AND a.conversation_id = coalesce(held.merged_into_id, held.id)))
      ORDER BY held.id FOR NO KEY UPDATE OF held) w
WHERE c.id = w.id
"""


class Row(NamedTuple):
    """A conversation some name leads to. kind: "" while nobody said it. is_guess: of the name."""

    id: int
    kind: str
    is_nobodys: bool
    is_guess: bool


class Target(NamedTuple):
    """Where a message is. is_own_direct: ours, in a chat with one person as far as known."""

    conversation_id: int
    is_own_direct: bool


def _run(statement: str, rows: Iterable[Mapping[str, Any]], *, times: int = 1) -> Any:
    text = storable_json(list(rows))
    with connection.cursor() as cursor:
        cursor.execute(statement, [text] * times)
        return cursor.fetchall() if cursor.description else None


def find(keys: Iterable[Key]) -> dict[Key, Row]:
    wanted = [{"instance_id": instance_id, "ref": ref} for instance_id, ref in sorted(set(keys))]
    return {(row[0], row[1]): Row(*row[2:]) for row in _run(_FIND, wanted, times=2)}


def make(facts: Mapping[Key, Mapping[str, str]]) -> None:
    """facts: kind and title of each."""
    _run(_MAKE, [{"instance_id": key[0], "ref": key[1], **said} for key, said in facts.items()])


def add_aliases(aliases: Iterable[tuple[Key, int]], *, guesses: Container[Key] = ()) -> None:
    """aliases: a name, and the row it leads to, which is not merged or split meanwhile."""
    _run(_ALIAS, [{"instance_id": name[0], "ref": name[1], "conversation_id": number,
                   "is_guess": name in guesses}
                  for name, number in aliases])


def names(ids: Iterable[int]) -> dict[int, list[str]]:
    """Every ref of the places these rows are part of."""
    found: dict[int, list[str]] = {number: [] for number in ids}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [sorted(found)])
        for number, ref in cursor.fetchall():
            found[number].append(ref)
    return found


def targets(messages: Iterable[Key]) -> dict[Key, Target]:
    """Where known messages are. messages: instance id and provider_message_id."""
    wanted = [{"instance_id": instance_id, "message": message}
              for instance_id, message in sorted(set(messages))]
    return {(row[0], row[1]): Target(*row[2:]) for row in _run(_TARGETS, wanted)}


def retitle(titles: Mapping[int, str]) -> None:
    _run(_RETITLE, [{"id": number, "title": titles[number]} for number in sorted(titles)])


def fill_kinds(kinds: Mapping[int, str]) -> None:
    _run(_FILL_KIND, [{"id": number, "kind": kinds[number]} for number in sorted(kinds)])


def fill_contacts(people: Mapping[int, tuple[int, str]]) -> None:
    """people: conversation -> contact, and the name under which it was met there; a name that was
    taken away since, as another process may not know yet, says nothing.
    """
    _run(_FILL_CONTACT, [{"id": number, "contact_id": people[number][0], "ref": people[number][1]}
                         for number in sorted(people)])
