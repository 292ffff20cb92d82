"""What the admin pages of every app share: verbs, read-only archives, JSON views, the audit log."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.filters import FieldListFilter
from django.contrib.admin.utils import get_fields_from_path, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_q import admin as q2
from django_q.models import Failure, OrmQ, Schedule, Success
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from omni.admin.paginator import EstimatingPaginator, KeysetChangeList
from omni.audit import AuditEntry
from omni.errors import OmniError

ANSWER = "answer"  # the field of a confirmation page
_JSON_SHOWN = 100_000  # characters; more is cut, the API has the whole


def pretty(value: Any, *, title: str = "", is_open: bool = True) -> SafeString | str:
    """JSON data for people, foldable and escaped; "-" for nothing."""
    if value in (None, "", [], {}):
        return "-"
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str)
    if len(text) > _JSON_SHOWN:
        text = f"{text[:_JSON_SHOWN]}\n… {len(text) - _JSON_SHOWN} characters more"
    if not title:
        return format_html('<pre class="omni-json">{}</pre>', text)
    return format_html('<details class="omni-fold"{}><summary>{}</summary>'
                       '<pre class="omni-json">{}</pre></details>',
                       " open" if is_open else "", title, text)


class _Indented(json.JSONEncoder):
    def __init__(self, *, indent: int | None = None, **kwargs: Any) -> None:
        super().__init__(indent=indent or 2, **kwargs)


class IndentedJSONField(forms.JSONField):
    """JSON to edit, one value a line."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 5, "class": "omni-mono",
                                              "spellcheck": "false"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "encoder": _Indented})


def moment(value: datetime | None) -> SafeString | str:
    """A moment to the second, in UTC, with all its digits as title; "-" for None."""
    if value is None:
        return "-"
    return format_html('<span class="omni-nowrap" title="{}">{}</span>', value.isoformat(),
                       value.strftime("%Y-%m-%d %H:%M:%S"))


def link(target: Any, text: Any = None) -> SafeString | str:
    """A link to the admin page of a row; "-" for None."""
    if target is None:
        return "-"
    meta = target._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[target.pk])
    return format_html('<a class="omni-link" href="{}">{}</a>', url,
                       target if text is None else text)


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing a person can do to a row, done by POST only.

    confirm: a question on a page of its own. ask: label of one text field on that page.
    when: whether the row offers it. may: the permission (`has_<may>_permission`).
    """

    name: str
    label: str
    icon: str
    confirm: str
    ask: str
    may: str
    is_danger: bool
    when: Callable[[Any], bool]


def verb(label: str, *, icon: str = "bolt", confirm: str = "", ask: str = "", may: str = "change",
         is_danger: bool = False, when: Callable[[Any], bool] = lambda row: True) -> Callable:
    """Makes a method `(self, request, row) -> HttpResponse | None` a button of the row's page."""
    def mark(function: Callable) -> Callable:
        function.verb = Verb(function.__name__, label, icon, confirm, ask, may, is_danger, when)
        return function
    return mark


class VerbsMixin:
    """Buttons above a row's page. Errors the product raises on purpose become messages."""

    change_form_outer_before_template = "admin/omni/verbs.html"

    def verbs(self) -> list[Verb]:
        """In the order they are written."""
        methods = (value for kind in reversed(type(self).__mro__) for value in vars(kind).values())
        return [method.verb for method in methods if isinstance(getattr(method, "verb", None),
                                                                Verb)]

    def get_urls(self) -> list:
        meta = self.model._meta
        return [path("<path:object_id>/do/<slug:name>/", self.admin_site.admin_view(self.do),
                     name=f"{meta.app_label}_{meta.model_name}_do"), *super().get_urls()]

    def do(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """GET asks for confirmation, POST acts."""
        row = self.get_object(request, unquote(object_id))
        found = next((item for item in self.verbs() if item.name == name), None)
        if row is None or found is None:
            raise Http404
        if not getattr(self, f"has_{found.may}_permission")(request, row):
            raise PermissionDenied
        meta = self.model._meta
        page = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
        if request.method != "POST":
            return TemplateResponse(request, "admin/omni/confirm.html", {
                **self.admin_site.each_context(request), "title": found.label, "opts": meta,
                "verb": found, "original": row, "page": page})
        if not found.when(row):
            messages.error(request, f"“{found.label}” does not apply to this row any more.")
            return HttpResponseRedirect(page)
        try:
            answer = getattr(self, name)(request, row)
        except OmniError as exc:
            messages.error(request, exc.message)
            answer = None
        return answer or HttpResponseRedirect(page)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None,
                        form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        meta = self.model._meta
        shown = [{"verb": item, "url": reverse(
                     f"admin:{meta.app_label}_{meta.model_name}_do", args=[row.pk, item.name])}
                 for item in self.verbs()
                 if row is not None and item.when(row)
                 and getattr(self, f"has_{item.may}_permission")(request, row)]
        return super().changeform_view(request, object_id, form_url,
                                       {**(extra_context or {}), "verbs": shown})


class BaseAdmin(ModelAdmin):
    """What every page of ours stands on. A list is narrowed by what the page declares and by
    nothing else: Django would take any field and tell, letter by letter, what the page hides.
    """

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Whether a list may be asked this: its number, its dates, and what its filters ask."""
        return lookup in self._declared(request)

    def _declared(self, request: HttpRequest) -> set[str]:
        key = self.opts.pk.name
        found = {"pk", key, "pk__exact", f"{key}__exact"}
        if self.date_hierarchy:
            found.update(f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day"))
        for item in self.get_list_filter(request):
            if isinstance(item, type):  # a SimpleListFilter, or one of unfold's made of it
                found.add(item.parameter_name)
                continue
            name, kind = item if isinstance(item, tuple) else (item, FieldListFilter.create)
            field = get_fields_from_path(self.model, name)[-1]
            found.add(name)
            found.update(kind(field, request, {}, self.model, self,
                              field_path=name).expected_parameters())
        return found


class ReadOnlyAdmin(VerbsMixin, BaseAdmin):
    """An archive: looked at, never edited, never deleted here. Verbs are the only way to act."""

    actions = None
    compressed_fields = False
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class KeysetMixin:
    """A list that never counts and never skips."""

    show_facets = admin.ShowFacets.NEVER  # "show counts" would read the table once per choice
    paginator = EstimatingPaginator
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type:
        return KeysetChangeList


@admin.register(AuditEntry)
class AuditEntryAdmin(KeysetMixin, ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "target"]
    search_fields = ["=actor", "=action", "=target"]
    search_help_text = "actor, action or target, exactly"
    fields = ["at", "actor", "action", "target", "facts_shown", "previous_hash", "hash"]
    readonly_fields = ["facts_shown"]

    @admin.display(description="facts")
    def facts_shown(self, entry: AuditEntry) -> str:
        return pretty(entry.facts)


def _dress(model: type, plain: type) -> None:
    """django-q2's own page of a model, in our theme."""
    admin.site.unregister(model)
    admin.site.register(model, type(plain.__name__, (plain, BaseAdmin), {"list_per_page": 50}))


for _model, _plain in ((Schedule, q2.ScheduleAdmin), (Success, q2.TaskAdmin),
                       (Failure, q2.FailAdmin), (OrmQ, q2.QueueAdmin)):
    if admin.site.is_registered(_model):
        _dress(_model, _plain)
