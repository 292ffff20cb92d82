"""Admin: the configured accounts, their webhook addresses, health and set up."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince
from pydantic import BaseModel
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminSelectWidget

from connections import library, moved
from connections.admin.scope import EditableScopedAdmin
from connections.models import Instance
from connections.rest.authentication import principal
from connections.webhooks import webhook_url
from omni.admin.pages import BaseAdmin, VerbsMixin, pretty, verb
from omni.admin.secrets import CredentialsForm
from omni.admin.words import WordsForm
from omni.audit import note

RECENT = 20_000  # newest events looked at for "last event"; keeps the lists cheap at any size


def recent_events(instance_ids: list[int]) -> dict[int, datetime]:
    """When each instance's last event was received, among the newest RECENT events.

    The store is above this app, so it is reached through the relation, not imported.
    """
    events = Instance._meta.get_field("events").related_model._default_manager
    newest = events.aggregate(newest=Max("pk"))["newest"] or 0
    found = (events.filter(pk__gt=newest - RECENT, instance_id__in=instance_ids).order_by()
             .values("instance_id").annotate(last=Max("received_at")))
    return {row["instance_id"]: row["last"] for row in found}


def ago(moment: datetime | None) -> str:
    """"3 minutes ago", with the exact moment as its title; "-" for None."""
    if moment is None:
        return "-"
    if timezone.now() - moment < timedelta(minutes=1):
        return format_html('<span title="{}">just now</span>', moment.isoformat())
    return format_html('<span title="{}">{} ago</span>', moment.isoformat(),
                       timesince(moment).split(",")[0])


class InstanceForm(WordsForm, CredentialsForm):
    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Instance
        fields = ["slug", "name", "provider", "enabled", "settings", "credentials", "labels",
                  "agent", "people_group"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "provider" in self.fields:
            self.fields["provider"].choices = [
                (name, f"{adapter.title} ({name})") for name, adapter in
                library.adapters().items()]
        if "agent" in self.fields:
            self.fields["agent"].required = False

    def clean_settings(self) -> dict[str, Any]:
        found = self.cleaned_data["settings"]
        if not isinstance(found or {}, dict):
            raise ValidationError("Settings are a JSON object.")
        return found or {}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance.pk and "settings" in cleaned:
            missing = moved.need_again(
                self.instance.adapter.addresses, before=self.instance.settings or {},
                after=cleaned["settings"], stored=self.stored_secrets(),
                given=self.told_secrets())
            if missing:
                self.add_error("credentials", moved.told(missing))
        return cleaned


class ArchivedFilter(admin.SimpleListFilter):
    title = "archived"
    parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Only archived"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *rest = super().choices(changelist)
        yield {**first, "display": "In use"}
        yield from rest

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "1")


class InstanceChangeList(ChangeList):
    """Asks for all "last event" cells at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        recent = recent_events([row.pk for row in self.result_list])
        for row in self.result_list:
            row.last_event_at = recent.get(row.pk)


@admin.register(Instance)
class InstanceAdmin(EditableScopedAdmin, VerbsMixin, BaseAdmin):
    """Archived instead of deleted: events point here."""

    form = InstanceForm
    list_display = ["slug", "name", "provider", "status", "address", "last_event"]
    list_filter = ["provider", "enabled", ArchivedFilter]
    search_fields = ["slug", "name"]
    list_per_page = 50
    readonly_fields = ["address", "fields_help", "archived_at", "created_at", "updated_at"]

    def get_fieldsets(self, request: HttpRequest, obj: Instance | None = None) -> list:
        secret = ["credentials"]
        if obj and obj.credentials and self.has_change_permission(request, obj):
            secret.append("clear_credentials")
        if not self.has_change_permission(request, obj):
            secret = []
        groups = [
            (None, {"fields": ["slug", "name", "provider", "enabled",
                               *(["address"] if obj else [])]}),
            ("What the provider needs", {"fields": ["fields_help", "settings", *secret]}),
            ("Answers", {"fields": ["agent", "labels", "people_group"]}),
        ]
        if obj:
            groups.append(("Dates", {"fields": ["created_at", "updated_at", "archived_at"]}))
        return groups

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        shared = [] if principal(request).instance_ids is None else ["people_group"]
        return [*self.readonly_fields, *(["slug", "provider"] if obj else []), *shared]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """A new instance is on nobody's list of grants: only who sees all of them makes one."""
        return super().has_add_permission(request) and principal(request).instance_ids is None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type:
        return InstanceChangeList

    @display(description="status", label={"on": "success", "off": "warning",
                                          "archived": "danger"})
    def status(self, row: Instance) -> str:
        if row.archived_at:
            return "archived"
        return "on" if row.enabled else "off"

    @admin.display(description="webhook address")
    def address(self, row: Instance) -> str:
        return format_html('<span class="omni-copy"><code>{}</code><button type="button" '
                           'data-copy="{}" title="Copy">copy</button></span>',
                           webhook_url(row), webhook_url(row))

    @admin.display(description="last event")
    def last_event(self, row: Instance) -> str:
        return ago(row.last_event_at)

    @admin.display(description="fields")
    def fields_help(self, row: Instance | None) -> str:
        known = library.adapters()
        chosen = [row.provider] if row and row.pk else list(known)
        shown = {known[name].title: {
            "settings": _described(known[name].Settings),
            "credentials": _described(known[name].Credentials)}
            for name in chosen if name in known}
        parts = [pretty(fields, title=title, is_open=False) for title, fields in shown.items()]
        return format_html("{}" * len(parts), *parts) if parts else "-"

    def save_model(self, request: HttpRequest, obj: Instance, form: Any, change: bool) -> None:
        if change and principal(request).instance_ids is not None and (
                Instance.objects.get(pk=obj.pk).reach != obj.reach):
            raise PermissionDenied("this concerns other accounts; your grants name single ones")
        super().save_model(request, obj, form, change)
        changed = [name for name in form.changed_data if "credentials" not in name]
        note(principal(request).name, "instance.changed" if change else "instance.created",
             obj.slug, fields=changed, **form.changed_secrets())
        if not change:
            messages.info(request, f"Its webhook address is {webhook_url(obj)}")

    @verb("Check health", icon="monitor_heart", may="view",
          when=lambda row: row.archived_at is None)
    def check_health(self, request: HttpRequest, row: Instance) -> HttpResponse:
        health = row.adapter.health(row.account())
        may_pair = self.has_admin_permission(request)  # who scans the code owns the account
        return self._facts_page(request, row, title=f"Health of {row.slug}", facts={
            name: value for name, value in health.items() if name != "qr"},
            qr=health.get("qr") if may_pair else None)

    @verb("Set up", icon="link", when=lambda row: row.archived_at is None,
          confirm="Registers the webhook address at the provider; an address that is registered "
                  "there now may be replaced.")
    def set_up(self, request: HttpRequest, row: Instance) -> HttpResponse:
        facts = row.adapter.set_up(row.account(), webhook_url=webhook_url(row))
        note(principal(request).name, "instance.set_up", row.slug)
        return self._facts_page(request, row, title=f"{row.slug} is set up", qr=None,
                                facts={"webhook_url": webhook_url(row), **facts})

    @verb("Archive", icon="archive", is_danger=True, when=lambda row: row.archived_at is None,
          confirm="An archived instance takes no events and sends nothing. What it holds stays.")
    def archive(self, request: HttpRequest, row: Instance) -> None:
        row.archived_at, row.enabled = timezone.now(), False
        row.save(update_fields=["archived_at", "enabled", "updated_at"])
        note(principal(request).name, "instance.archived", row.slug)
        messages.success(request, f"{row.slug} is archived.")

    @verb("Bring back", icon="unarchive", when=lambda row: row.archived_at is not None)
    def bring_back(self, request: HttpRequest, row: Instance) -> None:
        row.archived_at = None
        row.save(update_fields=["archived_at", "updated_at"])
        note(principal(request).name, "instance.restored", row.slug)
        messages.success(request, f"{row.slug} is back, switched off. Enable it below.")

    def _facts_page(self, request: HttpRequest, row: Instance, *, title: str,
                    facts: dict[str, Any], qr: str | None) -> HttpResponse:
        safe_qr = qr if qr and qr.startswith("data:image/") else None
        return TemplateResponse(request, "connections/admin/facts.html", {
            **self.admin_site.each_context(request), "title": title, "opts": self.model._meta,
            "original": row, "facts": facts.items(), "qr": safe_qr})


def _described(model: type[BaseModel]) -> dict[str, str]:
    """Field -> what it is, for people; required ones say so."""
    told = {}
    for name, field in model.model_fields.items():
        kind = getattr(field.annotation, "__name__", None) or str(field.annotation)
        need = "required" if field.is_required() else "optional"
        told[name] = f"{kind.replace('typing.', '')}, {need}. {field.description or ''}".strip()
    return told
