"""The only writer of `omni_event_actions`: what each step and attempt came to."""

from collections.abc import Iterable

from events.models import EventAction


def record(rows: Iterable[EventAction]) -> None:
    """Append outcomes in one statement.

    A row for a step that is already there is an error of the engine (IntegrityError): the fencing
    token is checked by the caller in the same transaction.
    """
    EventAction.objects.bulk_create(list(rows))


def recorded(run_id: int) -> list[EventAction]:
    """A run's outcomes so far, in order."""
    return list(EventAction.objects.filter(run_id=run_id).in_order())
