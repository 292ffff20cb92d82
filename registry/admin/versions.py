"""Admin: published versions, what they differ in, trying one on an instance, and going back."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from connections.admin.scope import ScopedAdmin
from connections.models import Instance
from connections.rest.authentication import principal
from omni.admin.pages import KeysetMixin, ReadOnlyAdmin, link, verb
from omni.errors import InvalidInput, Unavailable
from registry.admin.runs import WorkflowFilter
from registry.models import WorkflowVersion
from registry.versions import canary, comparison, drafts, match_diff, publishing

DRAFT = "draft"
MOST_COMPARED = 50  # versions offered to compare with
DAYS_OFFERED = (1, 7, 30, 90)
_LINES = {"+": "omni-added", "-": "omni-removed", "@": "omni-hunk"}


def colored(diff: str) -> SafeString | str:
    """A unified diff with its lines marked; a sentence when nothing differs."""
    if not diff:
        return "The texts are the same."
    return format_html('<pre class="omni-json omni-diff">{}</pre>', format_html_join(
        "", '<span class="{}">{}</span>\n',
        ((_LINES.get(line[:1], ""), line) for line in diff.splitlines())))


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    """`?against=<number>` or `?against=draft` chooses what a version is compared with."""

    change_form_template = "registry/admin/version.html"
    list_display = ["__str__", "published_at", "author", "note", "compare_link"]
    list_filter = [WorkflowFilter]
    list_select_related = ["workflow", "author"]
    search_fields = ["note"]
    fields = [("workflow_link", "number"), ("author", "published_at"), "note", "sha256",
              "text_shown"]
    readonly_fields = ["workflow_link", "text_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("workflow", "author").defer(
            "compiled")

    def get_urls(self) -> list:
        return [path("<int:number>/compare/", self.admin_site.admin_view(self.compare),
                     name="registry_workflowversion_compare"), *super().get_urls()]

    @admin.display(description="difference")
    def compare_link(self, version: WorkflowVersion) -> str:
        return format_html('<a class="omni-link" href="{}">compare</a>', reverse(
            "admin:registry_workflowversion_compare", args=[version.pk]))

    def compare(self, request: HttpRequest, number: int) -> HttpResponse:
        """A version beside another, or the draft: lines, parts, and the events only one matches."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = get_object_or_404(self.get_queryset(request), pk=number)
        who, against = principal(request), request.GET.get("against") or DRAFT
        instances = Instance.objects.visible_to(who).order_by("slug").only("slug")
        slug, days = request.GET.get("instance", ""), request.GET.get("days", "")
        days = int(days) if days in map(str, DAYS_OFFERED) else match_diff.DAYS
        before, after = version.number, None
        if against != DRAFT:
            other = get_object_or_404(version.workflow.versions, number=_number(against))
            before, after = sorted((version.number, other.number))
        instance = get_object_or_404(instances, slug=slug) if slug else None
        try:
            found = comparison.compare(version.workflow, before, after, who=who, days=days,
                                       instance=instance)
        except Unavailable as exc:
            messages.error(request, f"Not compared: {exc.message}")
            return HttpResponseRedirect(reverse("admin:registry_workflowversion_change",
                                                args=[version.pk]))
        return TemplateResponse(request, "registry/admin/compare.html", {
            **self.admin_site.each_context(request), "opts": self.model._meta,
            "title": f"{version.workflow.slug}: v{before} and "
                     f"{'the draft' if after is None else f'v{after}'}",
            "found": found, "diff": colored(found.text), "version": version, "against": against,
            "examples": found.matching and [
                ("Would match now", found.matching.gained_examples),
                ("Would stop matching", found.matching.lost_examples)],
            "changes": [(part.removesuffix("s"), item, _json(item.before), _json(item.after))
                        for part, items in (found.structure or {}).items() for item in items],
            "others": version.workflow.versions.exclude(pk=version.pk)
            .values_list("number", flat=True)[:MOST_COMPARED], "draft": DRAFT, "days": days,
            "days_offered": DAYS_OFFERED, "instances": instances, "instance": slug})

    def has_rollback_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        who = principal(request)
        return who.may("workflows") and who.instance_ids is None

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Keeps `against` off the row's own columns: the page reads it, the form does not."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            row.against = request.GET.get("against", "")
        return row

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        version = context["original"]
        workflow = version.workflow
        others = list(workflow.versions.exclude(pk=version.pk)
                      .values_list("number", flat=True)[:MOST_COMPARED])
        older = [number for number in others if number < version.number]
        against = version.against or (str(older[0]) if older else DRAFT)
        if against == DRAFT:
            text = publishing.diff(workflow, version.number)
        elif against.isdigit() and int(against) in others:
            first, second = sorted((int(against), version.number))
            text = publishing.diff(workflow, first, second)
        else:
            text = ""
        context.update({"diff": colored(text), "against": against, "others": others,
                        "draft": DRAFT})
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="workflow")
    def workflow_link(self, version: WorkflowVersion) -> str:
        return link(version.workflow)

    @admin.display(description="text")
    def text_shown(self, version: WorkflowVersion) -> str:
        return format_html('<pre class="omni-json">{}</pre>', version.text)

    @verb("Roll back to this", icon="history", may="rollback",
          confirm="Publishes this text again, as the newest version and as the draft. A draft that "
                  "is not published is lost.")
    def roll_back(self, request: HttpRequest, version: WorkflowVersion) -> HttpResponse:
        fresh = publishing.roll_back(version.workflow, version.number, user=request.user,
                                     actor=principal(request).name)
        messages.success(request, f"{version.workflow.slug} v{fresh.number} has the text of "
                                  f"v{version.number}.")
        warn(request, fresh)
        return _to_workflow(version)

    @verb("Try on one instance", icon="science", may="rollback", ask="Instance (slug)",
          confirm="Runs this version on one instance. When it is the newest, bindings that follow "
                  "the newest are pinned to the version before it until the canary is promoted.")
    def try_on_one(self, request: HttpRequest, version: WorkflowVersion) -> HttpResponse:
        slug = request.POST.get("answer", "").strip()
        instance = Instance.objects.visible_to(principal(request)).filter(slug=slug).first()
        if instance is None:
            raise InvalidInput(f"there is no instance '{slug}'")
        _, changed = canary.start(version.workflow, instance=instance, number=version.number,
                                  actor=principal(request).name)
        messages.success(request, f"v{version.number} runs on {slug}. {repinned(changed)}")
        return _to_workflow(version)


def repinned(changed: list[canary.Repin]) -> str:
    """What a canary or promotion changed, for people."""
    return "; ".join(
        f"{' '.join(filter(None, (row.scope, row.instance, row.provider)))}: "
        + ("binding ended" if row.change == "ended" else
           f"{_version(row.before)} → {_version(row.after)}") for row in changed)


def warn(request: HttpRequest, version: WorkflowVersion) -> None:
    """Say what is doubtful in a version that was just published."""
    for item in drafts.warnings(version.text):
        messages.warning(request, f"{version.workflow.slug}: {item}")


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _version(number: int | None) -> str:
    return "newest" if number is None else f"v{number}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Http404
    return int(text[:9])


def _to_workflow(version: WorkflowVersion) -> HttpResponse:
    return HttpResponseRedirect(
        reverse("admin:registry_workflow_change", args=[version.workflow_id]))
