"""Finds or makes the conversation of a draft, by any ref it has had.

Known ids are kept in memory: a conversation's number never changes. `remember` is called after the
commit only, so that nothing of a rolled back transaction is kept.
"""

import threading
from collections.abc import Iterable

from django.db import connection

from connections.envelope import EventDraft
from events import together
from events.storable import storable_json

Key = tuple[int, str]  # instance id, ref
_MOST = 50_000

_FIND = """
SELECT w.instance_id, w.ref, c.id, c.kind
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text)
JOIN omni_conversations c ON c.instance_id = w.instance_id AND c.ref = w.ref
UNION ALL
SELECT w.instance_id, w.ref, c.id, c.kind
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text)
JOIN omni_conversation_aliases a ON a.instance_id = w.instance_id AND a.ref = w.ref
JOIN omni_conversations c ON c.id = a.conversation_id
"""
_MAKE = """
INSERT INTO omni_conversations (instance_id, ref, kind, title, tags, created_at)
SELECT instance_id, ref, kind, title, '[]', now()
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text, kind text, title text)
ORDER BY instance_id, ref
ON CONFLICT (instance_id, ref) DO NOTHING
"""
_ALIAS = """
INSERT INTO omni_conversation_aliases (instance_id, ref, conversation_id)
SELECT instance_id, ref, conversation_id
FROM jsonb_to_recordset(%s::jsonb) AS w(instance_id bigint, ref text, conversation_id bigint)
ORDER BY instance_id, ref
ON CONFLICT (instance_id, ref) DO NOTHING
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

_known: dict[Key, int] = {}
_kindless: set[int] = set()  # conversations whose kind nobody has said yet, as far as seen
_lock = threading.Lock()


def resolve(drafts: Iterable[tuple[int, EventDraft]]) -> dict[Key, int]:
    """Conversation ids of every name of the drafts' places. drafts: (instance id, draft) pairs.

    Names that arrived together are one place: a known one leads the others to its conversation.
    """
    placed = [(instance_id, draft) for instance_id, draft in drafts if draft.conversation_ref]
    names = [[(instance_id, ref) for ref in (draft.conversation_ref, *draft.conversation_aliases)
              if ref] for instance_id, draft in placed]
    found = {name: _known[name] for bunch in names for name in bunch if name in _known}
    if any(name not in found for bunch in names for name in bunch):
        _resolve_unknown(together.groups(names), placed, found)
    _keep_titles(placed, found)
    _fill_kinds(placed, found)
    return found


def _resolve_unknown(places: list[list[Key]], placed: list[tuple[int, EventDraft]],
                     found: dict[Key, int]) -> None:
    """Find or make the conversation of each place, and keep its new names as aliases."""
    found.update(_find({name for place in places for name in place if name not in found}))
    missing = [place[0] for place in places if not any(name in found for name in place)]
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(_MAKE, [storable_json(
                [{"instance_id": key[0], "ref": key[1], **_facts(key, placed)}
                 for key in missing])])
        found.update(_find(set(missing)))
    aliases = []
    for place in places:
        number = next(found[name] for name in place if name in found)
        new = [name for name in place if name not in found]
        found.update(dict.fromkeys(new, number))
        aliases += [{"instance_id": name[0], "ref": name[1], "conversation_id": number}
                    for name in new]
    if aliases:
        with connection.cursor() as cursor:
            cursor.execute(_ALIAS, [storable_json(aliases)])


def _facts(key: Key, placed: list[tuple[int, EventDraft]]) -> dict[str, str]:
    """What the drafts say about a new conversation; the first word counts."""
    drafts = [draft for instance_id, draft in placed
              if (instance_id, draft.conversation_ref) == key]
    kinds = [draft.conversation_kind for draft in drafts if draft.conversation_kind]
    titles = [draft.conversation_title for draft in drafts if draft.conversation_title]
    return {"kind": kinds[0] if kinds else "", "title": titles[0] if titles else ""}


def _find(keys: set[Key]) -> dict[Key, int]:
    text = storable_json([{"instance_id": instance_id, "ref": ref}
                          for instance_id, ref in sorted(keys)])
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [text, text])
        rows = cursor.fetchall()
    with _lock:
        _kindless.update(row[2] for row in rows if not row[3])
    return {(row[0], row[1]): row[2] for row in rows}


def _keep_titles(placed: list[tuple[int, EventDraft]], found: dict[Key, int]) -> None:
    """A conversation event that carries a title renames the conversation."""
    titles = {found[(instance_id, draft.conversation_ref)]: draft.conversation_title
              for instance_id, draft in placed
              if draft.conversation_title and draft.event_type.startswith("conversation.")}
    if titles:
        with connection.cursor() as cursor:
            cursor.execute(_RETITLE, [storable_json(
                [{"id": number, "title": title} for number, title in sorted(titles.items())])])


def _fill_kinds(placed: list[tuple[int, EventDraft]], found: dict[Key, int]) -> None:
    """Our own sends make conversations without a kind; the first event that knows it says so."""
    if not _kindless:
        return
    kinds = {found[(instance_id, draft.conversation_ref)]: draft.conversation_kind
             for instance_id, draft in placed if draft.conversation_kind}
    kinds = {number: kind for number, kind in kinds.items() if number in _kindless}
    if kinds:
        with connection.cursor() as cursor:
            cursor.execute(_FILL_KIND, [storable_json(
                [{"id": number, "kind": kind} for number, kind in sorted(kinds.items())])])
        with _lock:
            _kindless.difference_update(kinds)


def remember(found: dict[Key, int]) -> None:
    """Keep resolved ids in memory; call after the commit."""
    with _lock:
        if len(_known) > _MOST:
            _known.clear()
        _known.update(found)


def forget() -> None:
    """Drop what memory knows, when a row it names is gone."""
    with _lock:
        _known.clear()
        _kindless.clear()
