"""Admin: the archive of exact bodies, its dead letters, and replaying them."""

import json
from dataclasses import asdict
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.decorators import display

from connections.admin.scope import InstanceFilter, ProviderFilter, ScopedAdmin
from connections.rest.authentication import principal
from events.admin.put_aside import PutAsideMixin
from events.models import Event, RawPayload
from events.store.replay import Replayed, replay
from omni.admin.pages import KeysetMixin, ReadOnlyAdmin, pretty, verb
from omni.audit import note
from omni.errors import OmniError

PREVIEW_BYTES = 64 * 1024
_BINARY_SHARE = 0.1  # of replacement characters, above which bytes are shown as hex


class QuarantineFilter(admin.SimpleListFilter):
    title = "dead letter"
    parameter_name = "quarantine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Open dead letters"), ("aside", "Put aside"), ("0", "Only understood")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "1":
            return queryset.open_dead_letters()
        if self.value() == "aside":
            return queryset.put_aside()
        return queryset.filter(quarantine_reason="") if self.value() == "0" else queryset


@admin.register(RawPayload)
class RawPayloadAdmin(PutAsideMixin, KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    aside_kind = "dead_letter"
    actions = ["replay_dry", "replay_for_real", "put_chosen_aside"]
    change_form_template = "events/admin/raw.html"
    list_display = ["id", "received_at", "instance", "size", "outcome", "deliveries", "events",
                    "verified_by"]
    list_filter = [QuarantineFilter, InstanceFilter, ProviderFilter,
                   ("received_at", RangeDateTimeFilter)]
    list_filter_submit = True
    search_fields = ["id"]
    search_help_text = "number or sha256"
    fieldsets = [
        (None, {"fields": [("instance", "provider", "transport"), ("received_at", "last_seen_at"),
                           ("size_bytes", "content_type", "deliveries", "event_count"),
                           ("verified_by", "sha256")]}),
        ("Dead letter", {"fields": ["quarantine_reason", "quarantine_detail",
                                   "put_aside_shown"]}),
        ("Request", {"fields": [("method", "path", "query"), "headers_shown", "flags"]}),
    ]
    readonly_fields = ["headers_shown", "put_aside_shown"]

    def waits(self, row: RawPayload) -> bool:
        return bool(row.quarantine_reason)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("instance").defer(
            "instance__credentials")
        is_page = request.resolver_match and "object_id" in request.resolver_match.kwargs
        return rows if is_page or request.method == "POST" else rows.defer("body")

    def get_fieldsets(self, request: HttpRequest, obj: RawPayload | None = None) -> list:
        return [group for group in self.fieldsets
                if group[0] != "Dead letter" or (obj and obj.quarantine_reason)]

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        words = words.strip().lower()
        if not words:
            return queryset, False
        if len(words) == 64:
            return queryset.filter(sha256=words), False
        return (queryset.filter(pk=words) if words.isascii() and words.isdigit()
                and len(words) < 19 else queryset.none()), False

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        raw = context.get("original")
        if raw is not None:
            context["body"], context["body_note"] = preview(bytes(raw.body))
            context["events"] = Event.objects.filter(
                raw_id=raw.pk, instance_id=raw.instance_id, received_at=raw.received_at,
            ).order_by("raw_index")[:200]
        return super().render_change_form(request, context, *args, **kwargs)

    def has_replay_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_send_permission(request, obj)

    @admin.display(description="size")
    def size(self, raw: RawPayload) -> str:
        return f"{raw.size_bytes:,} B".replace(",", " ")

    @admin.display(description="events")
    def events(self, raw: RawPayload) -> int:
        return raw.event_count

    @display(description="outcome", label={"understood": "success"})
    def outcome(self, raw: RawPayload) -> str:
        return raw.quarantine_reason or "understood"

    @admin.display(description="headers kept")
    def headers_shown(self, raw: RawPayload) -> str:
        return pretty(raw.headers)

    @verb("Replay (dry run)", icon="preview", may="view")
    def try_replay(self, request: HttpRequest, raw: RawPayload) -> HttpResponse:
        return self._replay_page(request, [raw])

    @verb("Replay for real", icon="replay", may="replay",
          confirm="New and changed events are stored; known ones stay. No workflow wakes up.")
    def store_replay(self, request: HttpRequest, raw: RawPayload) -> None:
        self._for_real(request, [raw], allow_effects=False)

    @verb("Replay and wake workflows", icon="replay_circle_filled", may="replay", is_danger=True,
          confirm="New events are stored and wake workflows, which may send messages to people.")
    def store_replay_with_effects(self, request: HttpRequest, raw: RawPayload) -> None:
        self._for_real(request, [raw], allow_effects=True)

    @admin.action(description="Replay (dry run): show what each becomes now")
    def replay_dry(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        return self._replay_page(request, list(queryset[:self.list_per_page]))

    @admin.action(description="Replay for real (no workflow wakes up)", permissions=["replay"])
    def replay_for_real(self, request: HttpRequest, queryset: Any) -> None:
        self._for_real(request, list(queryset[:self.list_per_page]), allow_effects=False)

    def _replay_page(self, request: HttpRequest, raws: list[RawPayload]) -> HttpResponse:
        rows = []
        for raw in raws:
            result = _tried(raw, dry_run=True, allow_effects=False)
            rows.append({"raw": raw, "result": result, "drafts": [
                {"draft": draft, "is_new": draft.dedup_key in result.new,
                 "is_changed": draft.dedup_key in result.changed,
                 "data": pretty(asdict(draft), title="all fields", is_open=False)}
                for draft in result.drafts]})
        return TemplateResponse(request, "events/admin/replay.html", {
            **self.admin_site.each_context(request), "title": "Replay, dry run",
            "opts": self.model._meta, "rows": rows,
            "may_replay": self.has_replay_permission(request)})

    def _for_real(self, request: HttpRequest, raws: list[RawPayload], *,
                  allow_effects: bool) -> HttpResponse:
        if not self.has_replay_permission(request):
            raise PermissionDenied
        stored, changed, errors = 0, 0, []
        for raw in raws:
            result = _tried(raw, dry_run=False, allow_effects=allow_effects)
            stored, changed = stored + len(result.stored), changed + len(result.changed)
            if result.error:
                errors.append(f"raw {raw.pk}: {result.error}")
            note(principal(request).name, "delivery.replayed", f"raw {raw.pk}", dry_run=False,
                 allow_effects=allow_effects, stored=len(result.stored))
        messages.success(request, f"Replayed {len(raws)}: {stored} events stored, "
                                  f"{changed} with other content than before.")
        for error in errors[:10]:
            messages.error(request, error)
        return HttpResponseRedirect(reverse("admin:events_rawpayload_changelist"))


def preview(body: bytes) -> tuple[str, str]:
    """A body as text for people, and a note on what is not shown. Never longer than PREVIEW_BYTES.
    """
    cut = body[:PREVIEW_BYTES]
    told = f"first {PREVIEW_BYTES // 1024} KiB of {len(body):,} bytes" if len(body) > len(
        cut) else ""
    text = cut.decode("utf-8", "replace")
    if text.count("�") > len(text) * _BINARY_SHARE:
        return cut[:4096].hex(" ", 4), f"binary; hex of the first {min(len(cut), 4096)} bytes"
    if not told:
        try:
            text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
            told = "JSON, indented for reading; the archive holds the exact bytes"
        except (ValueError, RecursionError):
            pass
    return text, told


def _tried(raw: RawPayload, *, dry_run: bool, allow_effects: bool) -> Replayed:
    try:
        return replay(raw, dry_run=dry_run, allow_effects=allow_effects)
    except OmniError as exc:  # settings that no longer fit, or a provider that is gone
        return Replayed(error=exc.message)
