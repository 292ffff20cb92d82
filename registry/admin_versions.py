"""Admin: published versions, what changed between them, and going back to an old one."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from connections.admin_scope import ScopedAdmin
from connections.authentication import principal
from omni.admin import KeysetMixin, ReadOnlyAdmin, link, verb
from registry import store
from registry.admin_runs import WorkflowFilter
from registry.models import WorkflowVersion

DRAFT = "draft"
MOST_COMPARED = 50  # versions offered to compare with
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
    list_display = ["__str__", "published_at", "author", "note"]
    list_filter = [WorkflowFilter]
    list_select_related = ["workflow", "author"]
    search_fields = ["note"]
    fields = [("workflow_link", "number"), ("author", "published_at"), "note", "sha256",
              "text_shown"]
    readonly_fields = ["workflow_link", "text_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("workflow", "author").defer(
            "compiled")

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
            text = store.diff(workflow, version.number)
        elif against.isdigit() and int(against) in others:
            first, second = sorted((int(against), version.number))
            text = store.diff(workflow, first, second)
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
        fresh = store.roll_back(version.workflow, version.number, user=request.user,
                                actor=principal(request).name)
        messages.success(request, f"{version.workflow.slug} v{fresh.number} has the text of "
                                  f"v{version.number}.")
        return HttpResponseRedirect(
            reverse("admin:registry_workflow_change", args=[version.workflow_id]))


