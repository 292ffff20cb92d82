"""Finds or makes the conversation of a draft, by any ref it has had.

Known ids are kept in memory: the row a ref belongs to never changes. Whether that row was merged
into another is read when the event is stored (`columns.STORED_AS`), so that a merge or a split of
another process counts at once. `remember` is called after the commit only, so that nothing of a
rolled back transaction is kept. All of it is bounded: what was used longest ago is forgotten.
"""

import threading
import time
from collections.abc import Iterable

from connections.envelope import EventDraft
from events.people import conversation_rows, guesses, other_names, same_place, targets, together
from events.people.conversation_rows import Key
from events.people.found import Found, Placed
from events.people.guesses import Bunch
from omni.recent import Recent

_MOST = 50_000
# Names that arrived together and had no conversation are not looked up again for so long. A place
# another process makes meanwhile is made by `other_names.find`, which knows the pair from the
# handles; only where all three were stored at the same moment is it found when this ends.
NOWHERE_SECONDS = 60.0

_known: Recent[Key, int] = Recent(_MOST)
_kindless: Recent[int, None] = Recent(_MOST)  # conversations whose kind nobody has said, as seen
_nobodys: Recent[int, None] = Recent(_MOST)  # and those whose person nobody has named yet
_settled: Recent[frozenset[int], None] = Recent(_MOST)  # rows known to be one place, or not to be
_guessed: Recent[Key, None] = Recent(_MOST)  # names that are guesses, as seen
_nowhere: Recent[Key, float] = Recent(_MOST)  # names without a conversation, until when that counts
_lock = threading.Lock()


def resolve(drafts: Iterable[Placed]) -> Found:
    """Conversation ids of every name of the drafts' places. drafts: (instance id, draft) pairs.

    Names that arrived together are one place: a known one leads the others to its conversation,
    and of two known conversations the younger is merged into the older.
    """
    drafts = list(drafts)
    placed = [(instance_id, draft) for instance_id, draft in drafts if draft.conversation_ref]
    bunches = [(_names(instance_id, (draft.conversation_ref, *draft.conversation_aliases)),
                draft) for instance_id, draft in placed]
    bunches += [(names, draft) for instance_id, draft in drafts
                for refs in draft.places_together
                if not _is_nowhere(names := _names(instance_id, refs))]
    guessed = guesses.among(placed, bunches)
    bunches += guessed
    found = Found()
    found.guesses.update(bunch[-1] for bunch, _ in guessed)
    found.update({name: number for bunch, _ in bunches for name in bunch
                  if (number := _known.get(name)) is not None})
    if any(_is_open(bunch, found) for bunch, _ in bunches):
        _resolve_unknown(bunches, placed, found)
    changes = [(instance_id, draft) for instance_id, draft in placed if targets.is_change(draft)]
    if changes:
        targets.move_changes(changes, placed, found)
    _keep_titles(placed, found)
    _fill_kinds(placed, found)
    return found


def _names(instance_id: int, refs: Iterable[str]) -> list[Key]:
    return [(instance_id, ref) for ref in refs if ref]


def _is_nowhere(names: list[Key]) -> bool:
    """Whether a moment ago nobody had written under any of these."""
    now = time.monotonic()
    return all(name not in _known and _nowhere.get(name, 0.0) > now for name in names)


def _is_open(bunch: list[Key], found: Found) -> bool:
    """Whether something is to be found out about names that arrived together."""
    if any(name not in found for name in bunch):
        return True
    if len(bunch) < 2:
        return False
    ids = frozenset(found[name] for name in bunch)
    return len(ids) > 1 and ids not in _settled or any(name in _guessed for name in bunch)


def _resolve_unknown(bunches: list[Bunch], placed: list[Placed], found: Found) -> None:
    """Find, join or make the conversation of each place, and keep its new names as aliases."""
    _look_up({name for bunch, _ in bunches if _is_open(bunch, found) for name in bunch}, found)
    places = together.groups(bunch for bunch, _ in bunches)
    _look_up(guesses.weigh(places, bunches, found), found)
    _join(places, bunches, found)
    drafts: dict[Key, list[EventDraft]] = {}
    for instance_id, draft in placed:
        drafts.setdefault((instance_id, draft.conversation_ref), []).append(draft)
    missing = [place for place in places if not any(name in found for name in place)
               and any(name in drafts for name in place)]
    about = {place[0]: [draft for name in place for draft in drafts.get(name, ())]
             for place in missing}
    later = _elsewhere(about, found)
    effects = {key: said for key, said in about.items()
               if key not in found and all(map(targets.is_effect, said))}
    _make({key: said for key, said in about.items()
           if key not in found and key not in effects and key not in later}, found)
    if later:
        _follow(later, found)
        _make({key: about[key] for key in later if key not in found}, found)
    _keep(_lead(places, found), found)
    if effects:
        _keep(targets.borrow(effects, placed, found), found)
        _make({key: said for key, said in effects.items() if key not in found}, found)
        _keep(_lead(places, found), found)
    for place in places:
        if place[0] not in found:  # another conversation of somebody, where nobody has written yet
            with _lock:
                _nowhere.keep_all((name, time.monotonic() + NOWHERE_SECONDS) for name in place)


def _elsewhere(about: dict[Key, list[EventDraft]], found: Found) -> dict[Key, Key]:
    """Lead people who are known under another address to the conversation there.

    Returns what is to follow when it is made: names of somebody who is new under two of them.
    """
    direct = [key for key, said in about.items()
              if any(draft.conversation_kind == "direct" for draft in said)]
    if not direct:
        return {}
    known, later = other_names.find(direct)
    found.update(known)
    _keep(list(known.items()), found)
    return {key: other for key, other in later.items()
            if not all(map(targets.is_effect, about[key]))}


def _follow(later: dict[Key, Key], found: Found) -> None:
    taken = other_names.take([(key, found[other]) for key, other in later.items()
                              if other in found], from_others=False)
    found.update(taken)
    _keep(taken, found)


def _lead(places: list[list[Key]], found: Found) -> list[tuple[Key, int]]:
    """Let the new names of a place lead where the others do; returns those to keep."""
    aliases = []
    for place in places:
        known = [name for name in place if name in found]
        new = [name for name in place if name not in found]
        if not known or not new:
            continue
        number = found[known[0]]
        if found.guesses.issuperset(known):  # what is led by a guess is one
            found.guesses.update(new)
        found.update(dict.fromkeys(new, number))
        if found.borrowed.isdisjoint(place):
            aliases += [(name, number) for name in new]
        else:
            found.borrowed.update(new)
    return aliases


def _keep(aliases: list[tuple[Key, int]], found: Found) -> None:
    if aliases:
        conversation_rows.add_aliases(aliases, guesses=found.guesses)


def _look_up(keys: set[Key], found: Found) -> None:
    rows = conversation_rows.find(keys) if keys else {}
    with _lock:
        _kindless.keep_all((row.id, None) for row in rows.values() if not row.kind)
        _nobodys.keep_all((row.id, None) for row in rows.values() if row.is_nobodys)
    found.guessed.update(key for key, row in rows.items() if row.is_guess)
    found.sure.update(key for key, row in rows.items()
                      if key in _guessed and not row.is_guess and key not in found.guesses)
    found.update({key: row.id for key, row in rows.items()})


def _make(about: dict[Key, list[EventDraft]], found: Found) -> None:
    if about:
        conversation_rows.make({key: _facts(drafts) for key, drafts in about.items()})
        _look_up(set(about), found)


def _facts(drafts: list[EventDraft]) -> dict[str, str]:
    """What the drafts say about a new conversation; the first word counts."""
    kinds = [draft.conversation_kind for draft in drafts if draft.conversation_kind]
    titles = [draft.conversation_title for draft in drafts if draft.conversation_title]
    return {"kind": kinds[0] if kinds else "", "title": titles[0] if titles else ""}


def _join(places: list[list[Key]], bunches: list[Bunch], found: Found) -> None:
    """Merge conversations that turned out to be one place."""
    several = [(ids, place) for place in places
               if len(ids := frozenset(found[name] for name in place if name in found)) > 1
               and ids not in _settled]
    if not several:
        return
    same_place.hold(place[0][0] for _, place in several)
    for ids, place in several:
        found.settled.add(ids)
        said = next(draft for bunch, draft in bunches if len(set(place).intersection(bunch)) > 1)
        guess = next((name for name in place if name in found.guesses), None)
        into = None if guess is None else next(
            found[name] for name in place if name in found and name != guess)
        joins = same_place.join(ids, into=into)
        found.joins += [(joined, said) for joined in joins]
        if guess is not None and joins:
            guesses.mark(guess)


def _keep_titles(placed: list[Placed], found: Found) -> None:
    """A conversation event that carries a title renames the conversation."""
    titles = {found[(instance_id, draft.conversation_ref)]: draft.conversation_title
              for instance_id, draft in placed
              if draft.conversation_title and draft.event_type.startswith("conversation.")}
    if titles:
        conversation_rows.retitle(titles)


def _fill_kinds(placed: list[Placed], found: Found) -> None:
    """Our own sends make conversations without a kind; the first event that knows it says so."""
    if not _kindless:
        return
    kinds = {found[(instance_id, draft.conversation_ref)]: draft.conversation_kind
             for instance_id, draft in placed if draft.conversation_kind
             and (instance_id, draft.conversation_ref) not in found.borrowed}
    kinds = {number: kind for number, kind in kinds.items() if number in _kindless}
    if kinds:
        conversation_rows.fill_kinds(kinds)
        with _lock:
            _kindless.drop(kinds)


def fill_contacts(met: Iterable[tuple[int, EventDraft, int | None]], found: Found) -> None:
    """Say whose a direct conversation is, from the first event with a person on the other side.

    met: (instance id, draft, contact id). One statement for what nobody has said yet.
    """
    if not _nobodys:
        return
    people = {found[(instance_id, draft.conversation_ref)]: (contact, draft.conversation_ref)
              for instance_id, draft, contact in met
              if contact is not None and draft.conversation_ref
              and draft.conversation_kind == "direct" and not targets.is_effect(draft)}
    people = {number: met for number, met in people.items() if number in _nobodys}
    if people:
        conversation_rows.fill_contacts(people)
        found.named.update(people)


def remember(found: Found) -> None:
    """Keep resolved ids in memory; call after the commit."""
    with _lock:
        used = {name: number for name, number in found.items() if name not in found.borrowed}
        _known.keep_all(used.items())
        _guessed.keep_all((name, None) for name in used if name in found.guessed
                          or name in found.guesses or name in _guessed)
        _guessed.drop(found.sure)
        _settled.keep_all((ids, None) for ids in found.settled)
        _nobodys.drop(found.named)
        for open_ones in (_kindless, _nobodys):  # remembered as long as their names
            open_ones.keep_all((number, None) for number in used.values() if number in open_ones)


def forget() -> None:
    """Drop what memory knows, when a row it names is gone."""
    with _lock:
        _known.clear()
        _kindless.clear()
        _nobodys.clear()
        _settled.clear()
        _guessed.clear()
        _nowhere.clear()
