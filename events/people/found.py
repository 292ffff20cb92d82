"""What was found of the places of a batch: the conversation of every name, and how it was met."""

from connections.envelope import EventDraft
from events.people.conversation_rows import Key
from events.people.same_place import PlaceJoin

Placed = tuple[int, EventDraft]  # instance id, draft


class Found(dict[Key, int]):
    """The conversation row of every name of a batch.

    borrowed: names without a row, of events that belong where the message they name is.
    moved: changes of a message by its author's other address, by id(), and where the message is.
    joins: what became one place, with the draft that said so.
    guesses: names this batch gives to places by a guess; guessed: those that have been guesses;
    sure: those of them that are none any more (`events.people.guesses`).
    settled, named: for `remember`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.borrowed: set[Key] = set()
        self.moved: dict[int, int] = {}
        self.joins: list[tuple[PlaceJoin, EventDraft]] = []
        self.guesses: set[Key] = set()
        self.guessed: set[Key] = set()
        self.sure: set[Key] = set()
        self.settled: set[frozenset[int]] = set()
        self.named: set[int] = set()

    def of(self, instance_id: int, draft: EventDraft) -> int | None:
        """The row a draft is filed in, unless that was merged; None for a draft without place."""
        return self.moved.get(id(draft)) or self.get((instance_id, draft.conversation_ref))
