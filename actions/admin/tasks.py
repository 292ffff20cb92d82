"""Admin: tasks people work on, and what is remembered about people."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import display

from actions import tasks
from actions.models import Memory, Task
from connections.admin.scope import EditableScopedAdmin, InstanceFilter, ScopedAdmin
from connections.rest.authentication import principal
from events.admin.events import event_link
from events.admin.shown import ShownContact, ShownContacts
from omni.admin.pages import BaseAdmin, KeysetMixin, ReadOnlyAdmin, link, verb
from omni.audit import note
from omni.errors import InvalidInput

STATE_COLORS = {"open": "warning", "done": "success", "canceled": "info"}
PRIORITY_COLORS = {"low": "info", "normal": "info", "high": "warning", "urgent": "danger"}


class OriginMixin:
    """Links to where a row came from."""

    @admin.display(description="event")
    def event_link(self, row: Any) -> str:
        return event_link(row.event_id)

    @admin.display(description="conversation")
    def conversation_link(self, row: Any) -> str:
        return link(row.conversation)

    @admin.display(description="contact")
    def contact_link(self, row: Any) -> str:
        return link(row.contact)


class TaskForm(forms.ModelForm):
    def clean_state(self) -> str:
        before, wanted = self.initial["state"], self.cleaned_data["state"]
        if before != "open" and wanted not in (before, "open"):
            raise forms.ValidationError(f"this task is {before}; open it again first")
        return wanted


@admin.register(Task)
class TaskAdmin(ShownContact, KeysetMixin, OriginMixin, EditableScopedAdmin, BaseAdmin):
    """State and assignee are changed, by people who may send; the rest is as it was handed over."""

    form = TaskForm
    change_scope = "send"
    list_display = ["id", "created_at", "instance", "queue", "title", "priority_shown",
                    "state_shown", "assignee"]
    list_filter = ["state", "priority", InstanceFilter]
    list_select_related = ["instance", "assignee"]
    search_fields = ["queue"]
    search_help_text = "queue, exactly"
    fieldsets = [
        (None, {"fields": ["title", "note", ("queue", "priority", "kind"),
                           ("state", "assignee"), ("closed_at", "closed_by")]}),
        ("Origin", {"fields": [("instance", "run_id", "created_at"),
                               ("event_link", "conversation_link", "contact_link")]}),
    ]
    readonly_fields = ["title", "note", "queue", "priority", "kind", "closed_at", "closed_by",
                       "instance", "run_id", "created_at", "event_link", "conversation_link",
                       "contact_link"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(
            "instance", "conversation", "contact", "assignee").defer("instance__credentials")

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        return queryset.filter(queue=words.strip()) if words.strip() else queryset, False

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        """Through the one writer, which notes who did it."""
        actor = principal(request).name
        if "state" in form.changed_data:
            try:
                tasks.settle(obj, form.cleaned_data["state"], actor=actor)
            except InvalidInput as exc:
                messages.error(request, exc.message)
        if "assignee" in form.changed_data:
            user = form.cleaned_data["assignee"]
            tasks.assign(obj, user.pk if user else None, actor=actor)

    @display(description="priority", label=PRIORITY_COLORS)
    def priority_shown(self, row: Task) -> str:
        return row.priority

    @display(description="state", label=STATE_COLORS)
    def state_shown(self, row: Task) -> str:
        return row.state


@admin.register(Memory)
class MemoryAdmin(ShownContacts, KeysetMixin, OriginMixin, ScopedAdmin, ReadOnlyAdmin):
    list_display = ["id", "created_at", "instance", "contact_link", "text_shown"]
    list_filter = [InstanceFilter]
    fieldsets = [
        (None, {"fields": ["text"]}),
        ("Origin", {"fields": [("instance", "run_id", "created_at"),
                               ("event_link", "conversation_link", "contact_link")]}),
    ]
    readonly_fields = ["event_link", "conversation_link", "contact_link"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(
            "instance", "conversation", "contact").defer("instance__credentials")

    @admin.display(description="text")
    def text_shown(self, row: Memory) -> str:
        return row.text[:120]

    @verb("Forget", icon="delete", may="workflows", is_danger=True,
          confirm="Agents are not told this any more. It cannot be brought back.")
    def forget(self, request: HttpRequest, row: Memory) -> HttpResponse:
        note(principal(request).name, "memory.forgotten", f"memory:{row.pk}")
        row.delete()
        messages.success(request, "Forgotten.")
        return HttpResponseRedirect(reverse("admin:actions_memory_changelist"))
