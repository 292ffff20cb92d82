"""Admin: everything that went out, and settling what may or may not have been sent."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import display

from connections.admin.scope import InstanceFilter, ScopedAdmin
from connections.rest.authentication import principal
from events.admin.events import event_link
from events.models import OutboxMessage
from events.outbox.settling import AGAIN, resolve, send_again
from omni.admin.pages import KeysetMixin, ReadOnlyAdmin, link, pretty, verb

COLORS = {"pending": "info", "sending": "info", "succeeded": "success", "rejected": "danger",
          "not_sent": "warning", "unknown": "danger"}


def _is_unknown(row: OutboxMessage) -> bool:
    return row.state == "unknown"


class WaitsFilter(admin.SimpleListFilter):
    title = "waits for a person"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Unknown, not settled")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.unresolved() if self.value() == "1" else queryset


@admin.register(OutboxMessage)
class OutboxAdmin(KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    list_display = ["id", "created_at", "instance", "kind", "recipient", "status", "attempts",
                    "error_shown", "resolution"]
    list_filter = [WaitsFilter, "state", InstanceFilter]
    list_select_related = ["instance"]
    search_fields = ["effect_key"]
    search_help_text = "effect key or provider message id, exactly"
    fieldsets = [
        (None, {"fields": [("kind", "recipient", "instance"), ("state", "resolution", "attempts"),
                           ("error_code", "error")]}),
        ("Request and answer", {"fields": ["request_shown", "answer_shown",
                                           "provider_message_id"]}),
        ("Origin", {"fields": [("effect_key", "run_id"),
                               ("conversation_link", "caused_by_link", "event_link"),
                               ("created_at", "started_at", "ended_at")]}),
    ]
    readonly_fields = ["request_shown", "answer_shown", "conversation_link", "caused_by_link",
                       "event_link"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(
            "instance", "conversation").defer("instance__credentials")

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        words = words.strip()
        if not words:
            return queryset, False
        found = queryset.filter(effect_key=words)
        return (found if found.exists() else queryset.filter(provider_message_id=words)), False

    @display(description="state", label=COLORS, ordering="state")
    def status(self, row: OutboxMessage) -> str:
        return row.state

    @admin.display(description="error")
    def error_shown(self, row: OutboxMessage) -> str:
        return row.error[:80] or "-"

    @admin.display(description="request")
    def request_shown(self, row: OutboxMessage) -> str:
        return pretty(row.request)

    @admin.display(description="answer")
    def answer_shown(self, row: OutboxMessage) -> str:
        return pretty(row.answer)

    @admin.display(description="conversation")
    def conversation_link(self, row: OutboxMessage) -> str:
        return link(row.conversation)

    @admin.display(description="caused by")
    def caused_by_link(self, row: OutboxMessage) -> str:
        return event_link(row.caused_by_id)

    @admin.display(description="became event")
    def event_link(self, row: OutboxMessage) -> str:
        return event_link(row.event_id)

    @verb("Send again", icon="send", may="send", is_danger=True,
          when=lambda row: row.state in ("unknown", "rejected", "not_sent")
          and row.resolution != AGAIN,
          confirm="Sends the message once more, as a new act of its own. If the first one did "
                  "arrive, the person gets it twice.")
    def again(self, request: HttpRequest, row: OutboxMessage) -> HttpResponse:
        outcome = send_again(row, actor=principal(request).name)
        level = messages.SUCCESS if outcome.state == "succeeded" else messages.WARNING
        messages.add_message(request, level, f"Sent again: {outcome.state} {outcome.error}")
        return HttpResponseRedirect(
            reverse("admin:events_outboxmessage_change", args=[outcome.outbox_id]))

    @verb("Mark as sent", icon="done", may="send", when=_is_unknown,
          confirm="You checked that the message arrived.")
    def mark_sent(self, request: HttpRequest, row: OutboxMessage) -> None:
        resolve(row, "person_sent", actor=principal(request).name)
        messages.success(request, "Marked as sent.")

    @verb("Mark as not sent", icon="close", may="send", when=_is_unknown,
          confirm="You checked that the message did not arrive.")
    def mark_not_sent(self, request: HttpRequest, row: OutboxMessage) -> None:
        resolve(row, "person_not_sent", actor=principal(request).name)
        messages.success(request, "Marked as not sent.")
