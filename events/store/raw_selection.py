"""Which archived deliveries a command is about, read one at a time and oldest first."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError

from connections.models import Instance
from events.models import RawPayload
from events.models.raw import RawQuerySet

_IDS_AT_ONCE = 1000


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--instance", metavar="SLUG", help="only what came for this instance")
    parser.add_argument("--since", metavar="TIME", type=moment,
                        help="received then or later: 2026-03-02 or 2026-03-02T09:15+01:00 "
                             "(UTC without a zone)")
    parser.add_argument("--until", metavar="TIME", type=moment, help="received before then")
    parser.add_argument("--dead-letters", action="store_true",
                        help="only what became no event")


def moment(text: str) -> datetime:
    """An ISO 8601 date or time; UTC when it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"must be a time such as 2026-03-02T09:15, not {text!r}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def selected(options: dict[str, Any]) -> RawQuerySet:
    """The rows the arguments name. Raises CommandError for an instance that is not there."""
    rows: Any = RawPayload.objects.select_related("instance")
    if options["instance"]:
        rows = rows.filter(instance=instance_named(options["instance"]))
    if options["since"]:
        rows = rows.filter(received_at__gte=options["since"])
    if options["until"]:
        rows = rows.filter(received_at__lt=options["until"])
    return rows.dead_letters() if options["dead_letters"] else rows


def instance_named(slug: str) -> Instance:
    found = Instance.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no instance '{slug}'.")
    return found


def one_by_one(rows: RawQuerySet) -> Iterator[RawPayload]:
    """The rows by id, one body in memory at a time; rows that vanish meanwhile are left out."""
    last = 0
    while places := list(rows.filter(pk__gt=last).order_by("pk")
                         .values_list("pk", "received_at")[:_IDS_AT_ONCE]):
        for number, received_at in places:
            # The time spares a look into every month of the partitioned table.
            row = rows.filter(pk=number, received_at=received_at).first()
            if row is not None:
                yield row
        last = places[-1][0]
