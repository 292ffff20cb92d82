"""Events about a message stand where that message is, under whatever address they came.

Reactions, receipts and changes name a message; its conversation is theirs, where their author can
be there.
"""

from connections.envelope import CHANGE_RELATIONS, EFFECT_RELATIONS, EventDraft
from events.people import conversation_rows, other_names
from events.people.conversation_rows import Key, Target
from events.people.found import Found, Placed


def borrow(effects: dict[Key, list[EventDraft]], placed: list[Placed],
           found: Found) -> list[tuple[Key, int]]:
    """Let events about known messages stand where the message is; no row is made for their names.

    A receipt for our own message in a direct chat names its reader: where that can be nobody else
    (`other_names.take`), the name is an alias of the chat, which is returned. Other events may
    come under any address, so nothing is kept of theirs; where somebody changes a message, it must
    be possible that they are the person there.
    """
    met = _targets([(key[0], draft) for key, drafts in effects.items() for draft in drafts],
                   placed, found)
    known = {key: [met[(key[0], draft.target_message_id or "")] for draft in drafts]
             for key, drafts in effects.items()
             if all((key[0], draft.target_message_id or "") in met for draft in drafts)}
    changes = [(key, targets[0].conversation_id) for key, targets in known.items()
               if any(map(is_change, effects[key]))]
    possible = dict(other_names.take(changes, from_others=False)) if changes else {}
    refused = {key for key, number in changes if key not in possible
               or any(target.conversation_id != number for target in known[key])}
    known = {key: targets for key, targets in known.items() if key not in refused}
    found.update({key: targets[0].conversation_id for key, targets in known.items()})
    found.borrowed.update(known)
    readers = [(key, found[key]) for key, targets in known.items()
               if all(target.is_own_direct for target in targets) and all(
                   draft.relation == "status_of" and draft.from_me
                   and draft.conversation_kind == "direct" for draft in effects[key])]
    taken = other_names.take(readers, from_others=True) if readers else []
    found.borrowed.difference_update(key for key, _ in taken)
    found.guesses.update(key for key, _ in taken)
    return taken


def _targets(effects: list[Placed], placed: list[Placed], found: Found) -> dict[Key, Target]:
    """Where the messages are that these events are about: stored ones, and those of this batch."""
    met = conversation_rows.targets((instance_id, draft.target_message_id or "")
                                    for instance_id, draft in effects)
    for instance_id, draft in placed:
        number = found.get((instance_id, draft.conversation_ref))
        if number is not None and draft.provider_message_id and not is_effect(draft):
            met.setdefault((instance_id, draft.provider_message_id), Target(
                number, draft.from_me and draft.conversation_kind in ("direct", "")))
    return met


def move_changes(changes: list[Placed], placed: list[Placed], found: Found) -> None:
    """File a change where its message is, where its author can be the person there: they were met
    under two addresses, and nothing has named both yet.
    """
    met = _targets(changes, placed, found)
    wishes: dict[tuple[Key, int], list[EventDraft]] = {}
    for instance_id, draft in changes:
        key, target = (instance_id, draft.conversation_ref), met.get(
            (instance_id, draft.target_message_id or ""))
        if target is not None and target.conversation_id != found[key]:
            wishes.setdefault((key, target.conversation_id), []).append(draft)
    for wish in other_names.take(wishes, from_others=False) if wishes else ():
        found.moved.update((id(draft), wish[1]) for draft in wishes[wish])


def is_effect(draft: EventDraft) -> bool:
    return draft.relation in EFFECT_RELATIONS and bool(draft.target_message_id)


def is_change(draft: EventDraft) -> bool:
    return draft.relation in CHANGE_RELATIONS and bool(draft.target_message_id)
