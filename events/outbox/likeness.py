"""Which outbound event is the echo of which send: by a name both bear, else by what was said.

Decides only; `events.outbox.echoes` reads the rows and writes what follows.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from events.models import Event

EFFECTS = {"reaction": ("message.reaction", "message.reaction_removed"),
           "edit": ("message.edited",), "delete": ("message.deleted",)}
WORDLESS = frozenset({"location", "contact", "poll"})  # what they say is in their content
_EFFECT_TYPES = frozenset(name for names in EFFECTS.values() for name in names)


@dataclass(frozen=True, slots=True)
class Send:
    """A row of the outbox an event may be the echo of.

    exact: by reference or id, not by words. elsewhere: it went to another address, which may be
    another name of the event's place. recipient: the address it went to. is_settled: by an echo;
    without `exact` by one at another place, and this event is surer.
    """

    exact: bool
    id: int
    effect_key: str
    kind: str
    text: str | None
    target: str | None
    recipient: str = ""
    elsewhere: bool = False
    is_settled: bool = False

    def fits(self, event: Event) -> bool:
        """Whether this is what the event says; names are believed, words are compared."""
        types = EFFECTS.get(self.kind)
        if types is None:
            if event.event_type in _EFFECT_TYPES:
                return False
        elif event.event_type not in types:
            return False
        if self.exact:
            return True
        if types is not None and self.target != event.target_message_id:
            return False
        said, heard = _words(self.text), _words(event.text)
        if (said or heard) and self.kind not in WORDLESS:
            return said == heard
        return types is not None or event.event_type == f"message.{self.kind}"


def assign(events: Iterable[Event], found: Mapping[int, Sequence[Send]]
           ) -> tuple[list[tuple[Event, Send]], set[int]]:
    """Which event is which send's: the oldest first, each send at most once by its words.

    Also the events that bear the id of one that is told by its words just now: once that is
    stored, they are told by the id.
    """
    pairs: list[tuple[Event, Send]] = []
    again: set[int] = set()
    used: set[int] = set()
    ids: set[tuple[int, str]] = set()
    for event in events:
        name = (event.instance_id, event.provider_message_id or "")
        if name[1] and name in ids:
            again.add(event.pk)
            continue
        send = _choose([send for send in found.get(event.pk, ())
                        if send.fits(event) and (send.exact or send.id not in used)])
        if send is None:
            continue
        pairs.append((event, send))
        used.add(send.id)
        if not send.exact:
            ids.add(name)
    return pairs, again


def _choose(sends: Sequence[Send]) -> Send | None:
    """The first that went to the event's place; else the first that went elsewhere, where all of
    those went to one address.
    """
    here = next((send for send in sends if not send.elsewhere), None)
    if here is not None or len({send.recipient for send in sends}) != 1:
        return here
    return sends[0]


def _words(text: str | None) -> str:
    """A text as it is compared: providers trim and fold white space, compose letters, and add or
    drop invisible signs, such as marks of writing direction (Unicode category Cf).
    """
    seen = "".join(sign for sign in text or "" if unicodedata.category(sign) != "Cf")
    return " ".join(unicodedata.normalize("NFC", seen).split())
