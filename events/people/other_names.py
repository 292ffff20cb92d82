"""Which addresses are other names of a conversation though no event names them beside it.

One person has at most one address of each kind at an account (a phone and a hidden one). So a
conversation takes a name of a kind it has none of, and none that is known as somebody else's;
where anything is in doubt it takes none. What kind an address is, the adapter says.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import connection

from connections.adapter import Account, Adapter
from connections.envelope import Handle
from connections.models import Instance, by_id
from connections.storable import storable_json
from events.models import Conversation, Event
from events.people import conversation_rows
from events.people.conversation_rows import Key
from omni.errors import OmniError

_SIBLINGS = """
SELECT h.people_group, h.provider, h.scope, h.kind, h.value, o.scope, o.kind, o.value
FROM jsonb_to_recordset(%s::jsonb)
    AS w(people_group text, provider text, scope text, kind text, value text)
JOIN omni_handles h ON h.people_group = w.people_group AND h.provider = w.provider
    AND h.scope = w.scope AND h.kind = w.kind AND h.value = w.value
JOIN omni_handles o ON o.contact_id = h.contact_id AND o.provider = h.provider AND o.id <> h.id
"""
Named = tuple[str, str, Handle]  # people group, provider, handle


class _Line(NamedTuple):
    """The account an address belongs to, as its adapter sees it."""

    adapter: Adapter
    account: Account
    people_group: str

    def named(self, handle: Handle) -> "Named":
        return self.people_group, self.account.provider, handle

    def handle(self, ref: str) -> Handle | None:
        return self.adapter.handle_of(ref, self.account)


def take(wishes: Iterable[tuple[Key, int]], *, from_others: bool) -> list[tuple[Key, int]]:
    """Those of the new names their conversations may take. wishes: (name, conversation id).

    from_others: whoever said the name may have meant the account itself, so that it must surely
    be somebody else's.
    """
    wishes = list(wishes)
    lines = _lines({name[0] for name, _ in wishes})
    wishes = [(name, number) for name, number in wishes if name[0] in lines]
    if not wishes:
        return []
    known = conversation_rows.names({number for _, number in wishes})
    siblings = _siblings(_named(lines, {
        *(name for name, _ in wishes),
        *((name[0], ref) for name, number in wishes for ref in known[number])}))
    taken = []
    for name, number in wishes:
        line, ref = lines[name[0]], name[1]
        if from_others and not line.adapter.is_surely_not_own(ref, line.account):
            continue
        if _fits(line, ref, known[number], siblings):
            known[number].append(ref)
            taken.append((name, number))
    return taken


def find(names: Iterable[Key]) -> tuple[dict[Key, int], dict[Key, Key]]:
    """Names without a conversation whose person has one under an address of another kind: (what
    they lead to, those whose person has two of these names: the later one and the earlier).

    One statement for a batch that brings somebody new, two more for people with two addresses.
    """
    names = list(dict.fromkeys(names))
    lines = _lines({name[0] for name in names})
    named = _named(lines, names)
    siblings = _siblings(named) if named else {}
    others: dict[Key, list[Key]] = {}
    for name, one in named.items():
        line = lines[name[0]]
        others[name] = [(name[0], line.adapter.place_of(other.value, line.account).ref)
                        for other in siblings.get(one, ())
                        if other.scope in ("", line.account.slug)]
    wanted = {other for found in others.values() for other in found}
    rows = conversation_rows.find(wanted) if wanted else {}
    wishes = [(name, rows[other].id) for name, found in others.items() for other in found
              if other in rows]
    led = [name for name, _ in wishes]
    pairs = {name: other for place, name in enumerate(names) for other in others.get(name, ())
             if other in names[:place] and name not in led and other not in led}
    return dict(take([wish for wish in wishes if led.count(wish[0]) == 1],
                     from_others=False)), pairs


def answered(ref: str, *, message_id: str | None, asked: str, conversation: Conversation,
             instance: Instance) -> tuple[list[str], list[str]]:
    """The ref in a provider's answer to a send, where it becomes a name of the conversation: (as
    one that is sure, as a guess).

    An answer is no proof: a server may name the chat it dealt with last. Only another spelling of
    the address that was asked for joins a conversation there was. Any other address becomes a name
    when nobody has a conversation under it but the echo of this message, and by the rule of `take`
    where its kind is known.
    """
    name = (instance.pk, ref)
    if not ref or ref in (asked, conversation.ref):
        return [], []
    if instance.adapter.is_same_line(ref, asked, instance.account()):
        return [ref], []
    there = conversation_rows.find([name]).get(name)
    if there is not None and not _holds_only(there.id, message_id):
        return [], []
    if not _lines({instance.pk}):
        return [], [ref]
    return [], [ref for _ in take([(name, conversation.pk)], from_others=False)]


def _holds_only(conversation_id: int, message_id: str | None) -> bool:
    """Whether all that happened in a conversation is this message and what is about it."""
    return bool(message_id) and not Event.objects.of_conversation(conversation_id).exclude(
        provider_message_id=message_id).exclude(target_message_id=message_id).exists()


def _lines(instance_ids: Collection[int]) -> dict[int, _Line]:
    """Of the instances whose provider has several addresses for one person."""
    found = {}
    for instance in map(by_id, instance_ids):
        if type(instance.adapter).handle_of is Adapter.handle_of:
            continue
        try:
            found[instance.pk] = _Line(instance.adapter, instance.account(),
                                       instance.people_group)
        except OmniError:  # its settings became wrong: nothing is known then
            continue
    return found


def _named(lines: Mapping[int, _Line], names: Iterable[Key]) -> dict[Key, Named]:
    read = ((name, lines[name[0]]) for name in names if name[0] in lines)
    found = ((name, line, line.handle(name[1])) for name, line in read)
    return {name: line.named(handle) for name, line, handle in found if handle}


def _siblings(named: Mapping[Key, Named]) -> dict[Named, list[Handle]]:
    """The other handles of whoever has these, at the same provider."""
    wanted = [{"people_group": group, "provider": provider, "scope": handle.scope,
               "kind": handle.kind, "value": handle.value}
              for group, provider, handle in set(named.values())]
    found: dict[Named, list[Handle]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SIBLINGS, [storable_json(wanted)])
        for group, provider, scope, kind, value, *other in cursor.fetchall():
            found.setdefault((group, provider, Handle(kind, value, scope)), []).append(
                Handle(other[1], other[2], other[0]))
    return found


def _fits(line: _Line, ref: str, names: list[str],
          siblings: Mapping[Named, list[Handle]]) -> bool:
    """Whether all names of a place are of other kinds, and nobody has two of one kind by it."""
    new, old = line.handle(ref), [line.handle(name) for name in names]
    if new is None or not old:
        return False
    for handle in old:
        if handle is None or handle.kind == new.kind or any(
                _is_another(other, one) for one, of in ((new, handle), (handle, new))
                for other in siblings.get(line.named(of), ())):
            return False
    return True


def _is_another(other: Handle, one: Handle) -> bool:
    """Whether somebody who has `other` has another address of that kind than `one`."""
    return (other.kind, other.scope) == (one.kind, one.scope) and other.value != one.value
