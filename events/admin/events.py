"""Admin: the event store, and the whole trace of one event."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from connections.access import Principal
from connections.admin.scope import InstanceFilter, ProviderFilter, ScopedAdmin
from connections.envelope import DIRECTIONS, KINDS, SOURCES
from connections.models import Instance
from connections.rest.authentication import principal
from events.admin.shown import ShownContact
from events.admin.trace import trace
from events.models import Event, RawPayload
from omni.admin.pages import KeysetMixin, ReadOnlyAdmin, link, moment, pretty

TEXT_DAYS = 30  # how far back a word is searched; ids are found at any age
_LONGEST = 120  # characters of a text in the list


class KindFilter(DropdownFilter):
    """By family or kind, from the vocabulary: asking the rows would read the whole table."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        family = ""
        for kind in KINDS:
            if not kind.startswith(f"{family}.") or not family:
                family = kind.split(".")[0]
                yield f"{family}.*", f"{family}.* (all)"
            yield kind, kind
        yield "custom.*", "custom.* (all)"
        yield "system.*", "system.* (all)"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or ""
        if value.endswith(".*"):
            return queryset.filter(event_type__startswith=value[:-1])
        return queryset.filter(event_type=value) if value else queryset


class DirectionFilter(DropdownFilter):
    title = "direction"
    parameter_name = "direction"
    names = DIRECTIONS

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, str]]:
        yield from ((name, name) for name in self.names)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return queryset.filter(**{self.parameter_name: value}) if value else queryset


class SourceFilter(DirectionFilter):
    title = "source"
    parameter_name = "source"
    names = SOURCES


def search(rows: Any, words: str, who: Principal) -> Any:
    """Events of an id of any kind, else events of the last TEXT_DAYS whose text holds `words`.

    Ids are indexed together with their instance, so the instances are named.
    """
    if words.isascii() and words.isdigit() and len(words) < 19 and rows.filter(pk=words).exists():
        return rows.filter(pk=words)
    instances = list(Instance.objects.visible_to(who).values_list("pk", flat=True))
    ids = (Q(provider_message_id=words) | Q(target_message_id=words) | Q(dedup_key=words[:255]))
    found = list(rows.filter(ids, instance_id__in=instances).order_by()
                 .values_list("pk", flat=True)[:200])
    if found:
        return rows.filter(pk__in=found)
    recent = rows.filter(received_at__gte=timezone.now() - timedelta(days=TEXT_DAYS))
    said = Q(text__icontains=words) | Q(conversation_ref=words) | Q(contact_handle=words)
    with suppress(ValueError):
        said |= Q(trace_id=UUID(words))
    return recent.filter(said)


@admin.register(Event)
class EventAdmin(ShownContact, KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    change_form_template = "events/admin/event.html"
    list_display = ["received", "instance", "kind", "way", "who", "said", "status"]
    list_display_links = ["received"]
    list_filter = [InstanceFilter, KindFilter, DirectionFilter, ProviderFilter, SourceFilter,
                   ("received_at", RangeDateTimeFilter)]
    list_filter_submit = True
    list_select_related = ["instance"]
    search_fields = ["text"]
    search_help_text = f"an id, or words of the last {TEXT_DAYS} days"
    fieldsets = [
        (None, {"fields": [("event_type", "provider_event_type", "direction", "source"),
                           ("instance", "provider", "subject", "state"), "text",
                           ("occurred", "received", "routed"), "derived"]}),
        ("Who and where", {"fields": [
            ("sender_name", "provider_actor_ref", "contact_link", "contact_handle"),
            ("conversation_link", "conversation_ref", "thread_ref"),
            ("from_me", "sender_is_bot", "auto_generated", "mentions_self")]}),
        ("Message", {"fields": [
            ("provider_message_id", "client_ref", "delivery_status", "error_code"),
            ("relation", "target_message_id", "target_link"),
            ("media_kind", "is_forwarded", "is_view_once"), "content_shown"]}),
        ("Origin", {"fields": [
            ("dedup_key", "fingerprint"), ("raw_link", "raw_index", "normalizer"),
            ("trace_id", "caused_by_link", "hop"),
            ("occurred_at_source", "provider_sequence", "schema_version"),
            "context_shown", "metadata_shown"], "classes": ["collapse"]}),
    ]
    readonly_fields = ["occurred", "received", "routed", "derived", "contact_link",
                       "conversation_link", "target_link", "content_shown", "raw_link",
                       "caused_by_link", "context_shown", "metadata_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name.endswith("_change"):
            return rows.select_related(
                "instance", "contact", "conversation", "routing_decision", "underived").defer(
                    "instance__credentials")
        return rows.defer("content", "context", "provider_metadata", "instance__credentials")

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        words = words.strip()
        return (search(queryset, words, principal(request)) if words else queryset), False

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        event = context.get("original")
        if event is not None:
            context["trace"] = trace(event)
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="received")
    def received(self, event: Event) -> str:
        return moment(event.received_at)

    @admin.display(description="occurred")
    def occurred(self, event: Event) -> str:
        return moment(event.occurred_at)

    @admin.display(description="routed")
    def routed(self, event: Event) -> str:
        return moment(event.routed_at)

    @admin.display(description="state of message and links")
    def derived(self, event: Event) -> str:
        mark = getattr(event, "underived", None)
        if mark is None:
            return "up to date" if event.routed_at and event.state != "not_routed" else "-"
        return format_html("not up to date: {} (tries: {}; next: {})", mark.error, mark.tries,
                           moment(mark.next_try))

    @admin.display(description="type")
    def kind(self, event: Event) -> str:
        return format_html("<code>{}</code>", event.event_type)

    @display(description="direction", label={"inbound": "info", "outbound": "success",
                                             "internal": "warning"})
    def way(self, event: Event) -> str:
        return event.direction

    @admin.display(description="who")
    def who(self, event: Event) -> str:
        return event.sender_name or event.provider_actor_ref or "-"

    @admin.display(description="what")
    def said(self, event: Event) -> str:
        text = event.text or event.subject or event.media_kind or event.delivery_status or ""
        return text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")

    @display(description="state", label={"routed": "success", "waiting": "warning",
                                         "not routed": "info"})
    def status(self, event: Event) -> str:
        if event.state == "not_routed":
            return "not routed"
        return "routed" if event.routed_at else "waiting"

    @admin.display(description="contact")
    def contact_link(self, event: Event) -> str:
        return link(event.contact)

    @admin.display(description="conversation")
    def conversation_link(self, event: Event) -> str:
        return link(event.conversation)

    @admin.display(description="about event")
    def target_link(self, event: Event) -> str:
        return event_link(event.target_event_id)

    @admin.display(description="caused by")
    def caused_by_link(self, event: Event) -> str:
        return event_link(event.caused_by_id)

    @admin.display(description="raw payload")
    def raw_link(self, event: Event) -> str:
        return link(RawPayload(pk=event.raw_id), f"raw {event.raw_id}") if event.raw_id else "-"

    @admin.display(description="content")
    def content_shown(self, event: Event) -> str:
        return pretty(event.content)

    @admin.display(description="context")
    def context_shown(self, event: Event) -> str:
        return pretty(event.context)

    @admin.display(description="provider metadata")
    def metadata_shown(self, event: Event) -> str:
        return pretty(event.provider_metadata)


def event_link(number: int | None) -> str:
    """A link to the page of an event, by its number; "-" for None."""
    return link(Event(pk=number), f"event {number}") if number else "-"
