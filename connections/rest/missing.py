"""404 that says what was not found, and the nearest name of those the caller may see."""

import difflib
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound

MOST_COMPARED = 1000
LONGEST = 80  # characters of a name quoted


def named(rows: QuerySet, slug: str, *, what: str) -> Any:
    """The row of that slug. Raises NotFound with the nearest slug among `rows`."""
    row = rows.filter(slug=slug).first()
    if row is None:
        raise NotFound(nothing(what, slug, rows.order_by("slug").values_list(
            "slug", flat=True)[:MOST_COMPARED]))
    return row


def numbered(rows: QuerySet, number: int, *, what: str, field: str = "pk") -> Any:
    """The row of that number. Raises NotFound."""
    row = rows.filter(**{field: number}).first()
    if row is None:
        raise NotFound(f"there is no {what} {number}")
    return row


def nothing(what: str, name: str, known: Iterable[str]) -> str:
    """That there is no such thing, with the nearest of the known names."""
    near = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"there is no {what} '{name[:LONGEST]}'{hint}"


class NamedLookup:
    """A generic view looked up by slug, whose 404 says which thing there is not."""

    def get_object(self) -> Any:
        rows = self.filter_queryset(self.get_queryset())  # type: ignore[attr-defined]
        row = named(rows, self.kwargs["slug"],  # type: ignore[attr-defined]
                    what=str(rows.model._meta.verbose_name))
        self.check_object_permissions(self.request, row)  # type: ignore[attr-defined]
        return row
