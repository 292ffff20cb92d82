"""Names a conversation has by a guess, and what a sure naming makes of them.

The answer to a send and a receipt say under which address a server filed our message, not whose
that address is. What they give is a guess: it leads to the conversation until an event names the
address together with another one. Named with one of the conversation's own it is sure from then
on; named with a stranger's it is taken away and becomes a place of its own, and neither the
stranger nor what was already filed moves.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from connections.envelope import EventDraft
from connections.models import by_id
from events.models import Contact, Conversation, ConversationAlias
from events.people import conversation_rows, same_place
from events.people.conversation_rows import Key
from events.people.found import Found, Placed
from events.people.same_place import PlaceJoin
from omni import audit
from omni.errors import OmniError

Bunch = tuple[list[Key], EventDraft]  # names that arrived together, and with what


class NameTaken(PlaceJoin):
    """A name that was one of `kept` by a guess and is the place `merged` of its own by now."""

    def note(self) -> None:
        audit.note("system", "conversation.split", f"conversation:{self.merged.pk}",
                   ref=self.merged.ref, kept=self.kept.pk)

    def event(self, because: dict[str, Any], *, event_type: str = same_place.SPLIT) -> EventDraft:
        return super().event(because, event_type=event_type)


def among(placed: Iterable[Placed], sure: Sequence[Bunch]) -> list[Bunch]:
    """What the drafts guess, [name of the place, guessed name], where nothing of the batch names
    the guessed one with another.
    """
    named = {name for bunch, _ in sure if len(bunch) > 1 for name in bunch}
    return [([(instance_id, draft.conversation_ref), (instance_id, ref)], draft)
            for instance_id, draft in placed for ref in draft.conversation_guesses
            if (instance_id, ref) not in named]


def mark(name: Key) -> None:
    """Say that a name leads where it does by a guess only."""
    ConversationAlias.objects.filter(instance_id=name[0], ref=name[1]).update(is_guess=True)


def weigh(places: Iterable[list[Key]], bunches: Sequence[Bunch], found: Found) -> set[Key]:
    """Let names that are guesses be sure, or take them away, by what they are named with.

    Returns the names whose conversation is to be looked up again.
    """
    doubtful = [(place, name) for place in places for name in place
                if name in found.guessed and found.guesses.isdisjoint(place) and len(place) > 1]
    if not doubtful:
        return set()
    same_place.hold(name[0] for _, name in doubtful)
    kept = dict(Conversation.objects.filter(pk__in={
        found[name] for place, _ in doubtful for name in place if name in found}).values_list(
        "pk", "merged_into"))
    kept = {number: into or number for number, into in kept.items()}
    again: set[Key] = set()
    for place, name in doubtful:
        others = [other for other in place if other != name]
        home = kept[found[name]]
        if any(other in found and other not in found.guessed and kept[found[other]] == home
               for other in others) or _are_same_line(others, home):
            ConversationAlias.objects.filter(
                instance_id=name[0], ref=name[1], is_guess=True).update(is_guess=False)
            found.sure.add(name)
            continue
        done = same_place.take_away(name[1], Conversation.objects.get(pk=home))
        again.add(name)
        if done is not None:
            _forget_person(name, done)
            again.add((name[0], done.kept.ref))
            said = next(draft for bunch, draft in bunches if name in bunch and len(bunch) > 1)
            found.joins.append((NameTaken(done.kept, done.merged), said))
    found.sure |= again
    found.guessed -= found.sure
    return again


def _are_same_line(others: Iterable[Key], home: int) -> bool:
    """Whether one of these is another spelling of an address of a conversation."""
    names = conversation_rows.names([home])[home]
    for instance_id, other in others:
        instance = by_id(instance_id)
        try:
            account = instance.account()
        except OmniError:  # its settings became wrong: nothing is known then
            return False
        if any(instance.adapter.is_same_line(other, name, account) for name in names):
            return True
    return False


def _forget_person(name: Key, done: PlaceJoin) -> None:
    """A conversation whose person was met under the name that is none of its own has nobody yet."""
    instance = by_id(name[0])
    if done.kept.contact_id is None:
        return
    try:
        handle = instance.adapter.handle_of(name[1], instance.account())
    except OmniError:
        return
    if handle is not None and Contact.objects.same_as(done.kept.contact_id).filter(
            handles__kind=handle.kind, handles__value=handle.value).exists():
        Conversation.objects.filter(pk=done.kept.pk).update(contact=None)
