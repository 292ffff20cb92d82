"""Admin: agents, and contact lists with their entries; tasks and memories beside it."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from unfold.admin import TabularInline

from actions.admin.tasks import MemoryAdmin, TaskAdmin
from actions.models import Agent, ContactList, ContactListEntry
from connections import moved
from connections.admin.scope import EditableScopedAdmin
from connections.rest.authentication import principal
from omni.admin.pages import BaseAdmin
from omni.admin.secrets import CredentialsForm
from omni.audit import note

__all__ = ["AgentAdmin", "ContactListAdmin", "MemoryAdmin", "TaskAdmin"]


class AgentForm(CredentialsForm):
    class Meta:
        model = Agent
        fields = ["slug", "name", "kind", "base_url", "settings", "credentials", "timeout",
                  "enabled"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if fault := moved.address_fault(cleaned.get("base_url")):
            self.add_error("base_url", f"base_url {fault}")
        if self.instance.pk and "base_url" in cleaned:
            stored = self.stored_secrets()
            missing = moved.need_again(
                {"base_url": tuple(stored)}, before={"base_url": self.instance.base_url},
                after=cleaned, stored=stored, given=self.told_secrets())
            if missing:
                self.add_error("credentials", moved.told(missing))
        return cleaned


@admin.register(Agent)
class AgentAdmin(EditableScopedAdmin, BaseAdmin):
    """Who writes an answer. Its key is written, never shown."""

    is_everywhere = True
    is_deletable = True
    form = AgentForm
    list_display = ["slug", "name", "kind", "base_url", "timeout", "enabled"]
    list_filter = ["kind", "enabled"]
    search_fields = ["slug", "name"]
    list_per_page = 50

    def get_fieldsets(self, request: HttpRequest, obj: Agent | None = None) -> list:
        may_change = self.has_change_permission(request, obj)
        secret = ["credentials"] if may_change else []
        if obj and obj.credentials and may_change:
            secret.append("clear_credentials")
        return [(None, {"fields": ["slug", "name", "kind", "enabled"]}),
                ("Where it is", {"fields": ["base_url", *secret, "timeout", "settings"]})]

    def save_model(self, request: HttpRequest, obj: Agent, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        note(principal(request).name, "agent.changed" if change else "agent.created", obj.slug,
             fields=[name for name in form.changed_data if "credentials" not in name],
             **form.changed_secrets())

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        note(principal(request).name, "agent.deleted", obj.slug)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for agent in queryset:
            self.delete_model(request, agent)


class EntryInline(TabularInline):
    model = ContactListEntry
    extra = 1
    per_page = 100
    ordering = ["pattern"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return principal(request).may("workflows")

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(ContactList)
class ContactListAdmin(EditableScopedAdmin, BaseAdmin):
    """Global lists are seen by everybody and changed by who sees every instance."""

    change_scope = "workflows"
    is_deletable = True
    list_display = ["name", "purpose", "label", "instance", "enabled"]
    list_filter = ["purpose", "enabled"]
    list_select_related = ["instance"]
    search_fields = ["name", "label", "=entries__pattern"]
    autocomplete_fields = ["instance"]
    inlines = [EntryInline]
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> Any:
        rows, who = super().get_queryset(request), principal(request)
        if who.instance_ids is None:
            return rows
        return rows.filter(Q(instance_id__in=who.instance_ids) | Q(instance__isnull=True))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        reaches = obj is None or principal(request).sees(obj.instance_id)
        return reaches and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_deletable and self.has_change_permission(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False,
                 **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        if "instance" in made.base_fields and principal(request).instance_ids is not None:
            made.base_fields["instance"].required = True
        return made

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        row = form.instance
        note(principal(request).name, "contact_list.changed" if change else
             "contact_list.created", row.name, purpose=row.purpose,
             entries=row.entries.count(), instance=str(row.instance or "every"))

    def delete_model(self, request: HttpRequest, obj: ContactList) -> None:
        note(principal(request).name, "contact_list.deleted", obj.name)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            if self.has_delete_permission(request, row):
                self.delete_model(request, row)
