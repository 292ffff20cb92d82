"""Admin pages that show a person only the rows of granted instances, as the API does."""

from collections.abc import Iterator
from typing import Any

from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from connections.access import Principal
from connections.models import Instance
from connections.rest.authentication import principal
from omni.admin.pages import IndentedJSONField


class ScopedAdmin:
    """Mixin in front of a ModelAdmin: rows and choices go through `visible_to`.

    A person sees the pages when a grant carries `view_scope` or Django's own view permission is
    given; which rows is decided by the grants alone.
    """

    view_scope = "read"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.visible_to(principal(request)) if hasattr(rows, "visible_to") else rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return principal(request).may(self.view_scope) or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_send_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return principal(request).may("send")

    def has_workflows_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return principal(request).may("workflows")

    def has_admin_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return principal(request).may("admin")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_foreignkey(
            db_field, request, **_visible_choices(db_field, request, kwargs))

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, **_visible_choices(db_field, request, kwargs))


class EditableScopedAdmin(ScopedAdmin):
    """Rows people make and change with `change_scope`.

    is_everywhere: the rows concern every instance, so grants on single ones do not suffice.
    """

    formfield_overrides = {models.JSONField: {
        "form_class": IndentedJSONField, "widget": IndentedJSONField.widget}}
    change_scope = "admin"
    is_everywhere = False
    is_deletable = False

    def _may_change(self, who: Principal) -> bool:
        return who.may(self.change_scope) and (
            not self.is_everywhere or who.instance_ids is None)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return self._may_change(principal(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(principal(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_deletable and self._may_change(principal(request))


class InstanceFilter(DropdownFilter):
    title = "instance"
    parameter_name = "instance"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from ((str(pk), slug) for pk, slug in
                    Instance.objects.visible_to(principal(request)).values_list("pk", "slug"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or ""
        return queryset.filter(instance_id=int(value)) if value.isdigit() else queryset


class ProviderFilter(DropdownFilter):
    """Providers of the configured instances, not of the rows: the rows are too many to ask."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        names = (Instance.objects.visible_to(principal(request)).order_by("provider")
                 .values_list("provider", flat=True).distinct())
        yield from ((name, name) for name in names)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(provider=self.value()) if self.value() else queryset


def _visible_choices(db_field: Any, request: HttpRequest, kwargs: dict) -> dict:
    rows = db_field.remote_field.model._default_manager.all()
    if hasattr(rows, "visible_to") and "queryset" not in kwargs:
        kwargs["queryset"] = rows.visible_to(principal(request))
    return kwargs
