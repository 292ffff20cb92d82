"""Admin: the verb "Put aside" of a page, and the same for chosen rows of its list."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html

from connections.rest.authentication import principal
from events.models import PutAside
from events.store.put_aside import NOTE_MOST, put_aside
from omni.admin.pages import ANSWER, moment, verb


class PutAsideMixin:
    """aside_kind: what the rows are, of `PutAside.KINDS`. `waits(row)`: whether one can be."""

    aside_kind = ""

    def waits(self, row: Any) -> bool:
        raise NotImplementedError

    def put_aside_of(self, row: Any) -> PutAside | None:
        return PutAside.objects.filter(kind=self.aside_kind, row_id=row.pk).first()

    @verb("Put aside", icon="inventory", may="send", when=lambda row: _still_waits(row),
          confirm="It no longer counts as waiting for somebody, and stays in the list under the "
                  "filter “put aside”.", ask="What was found, or why it needs nothing")
    def put_this_aside(self, request: HttpRequest, row: Any) -> None:
        put_aside(self.aside_kind, [row.pk], actor=principal(request).name,
                  note=request.POST.get(ANSWER, ""))
        messages.success(request, "Put aside.")

    @admin.action(description="Put aside", permissions=["send"])
    def put_chosen_aside(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Asks for one note for all of them, then does it."""
        rows = [row for row in queryset[:self.list_per_page] if self.waits(row)]
        if not rows:
            messages.warning(request, "None of these waits for somebody.")
            return None
        if ANSWER not in request.POST:
            return TemplateResponse(request, "admin/omni/put_aside.html", {
                **self.admin_site.each_context(request), "title": "Put aside", "rows": rows,
                "opts": self.model._meta, "most": NOTE_MOST})
        count = put_aside(self.aside_kind, [row.pk for row in rows],
                          actor=principal(request).name, note=request.POST[ANSWER])
        messages.success(request, f"{count} put aside.")
        return None

    @admin.display(description="put aside")
    def put_aside_shown(self, row: Any) -> str:
        found = self.put_aside_of(row)
        if found is None:
            return "-"
        return format_html("{} by {}: {}", moment(found.at), found.actor, found.note or "no note")


def _still_waits(row: Any) -> bool:
    """A method would need the page, which `when` is not given."""
    page = admin.site._registry[type(row)]
    return page.waits(row) and page.put_aside_of(row) is None
