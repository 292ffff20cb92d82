"""What somebody outside sees of a trial or back-test that is at work, and how they end it."""


class Canceled(Exception):
    """Whoever watches wants it to end. reason: for the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Watch:
    """Nobody watches: nothing is told, and nothing is ended."""

    def expect(self, total: int) -> None:
        """How many events will be looked at."""

    def done(self, count: int) -> None:
        """How many were. Raises Canceled."""

    def look(self) -> None:
        """Before each step. Raises Canceled."""


UNWATCHED = Watch()
