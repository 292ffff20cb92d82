"""Admin: workflows and their editor. Everything is written by `registry.versions`."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.views import ChangeList

from connections.admin.scope import EditableScopedAdmin
from connections.models import Instance
from connections.rest.authentication import principal
from omni.admin.pages import BaseAdmin, VerbsMixin, verb
from omni.errors import InvalidWorkflow, OmniError, Unavailable
from omni.yaml.marks import in_order
from registry.admin.bindings import BindingPages
from registry.admin.forms import ImportForm, WorkflowForm
from registry.admin.runs import runs_by_workflow
from registry.admin.tests import TestsPanel
from registry.admin.trials import TrialPage
from registry.admin.versions import repinned
from registry.engine.work import modes
from registry.models import Workflow
from registry.trials import elsewhere
from registry.versions import canary, drafts, effective, overlap, publishing, version_diff

VERSIONS_SHOWN = 20
INSTANCES_SHOWN = 50


class WorkflowChangeList(ChangeList):
    """Asks for all "runs" cells at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        runs = runs_by_workflow([row.pk for row in self.result_list], principal(request))
        for row in self.result_list:
            row.recent_runs = runs.get(row.pk, 0)


@admin.register(Workflow)
class WorkflowAdmin(BindingPages, TestsPanel, TrialPage, EditableScopedAdmin, VerbsMixin,
                    BaseAdmin):
    change_scope = "workflows"
    is_everywhere = True
    form = WorkflowForm
    change_form_template = "registry/admin/workflow.html"
    list_display = ["slug", "name", "latest_number", "bindings_shown", "runs_shown", "updated_at"]
    search_fields = ["slug", "name", "description"]
    list_per_page = 50
    fieldsets = [(None, {"fields": ["draft", "base_revision"]})]
    actions_list = ["import_yaml"]
    warn_unsaved_form = True
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).annotate(latest_no=Max("versions__number"))
        if "object_id" in request.resolver_match.kwargs:
            return rows
        here, who = Q(), principal(request)
        if who.instance_ids is not None:
            here = Q(bindings__instance=None) | Q(bindings__instance_id__in=who.instance_ids)
        return rows.defer("draft").annotate(
            on=Count("bindings", filter=here & Q(bindings__enabled=True), distinct=True),
            off=Count("bindings", filter=here & Q(bindings__enabled=False), distinct=True))

    def get_urls(self) -> list:
        return [path("<int:number>/export/", self.admin_site.admin_view(self.export_yaml),
                     name="registry_workflow_export"), *self.trial_urls(), *self.binding_urls(),
                *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type:
        return WorkflowChangeList

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list:
        if self.has_change_permission(request, obj):
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": ["name", "description", "text_shown"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if self.has_change_permission(request, obj) else ["text_shown"]

    @admin.display(description="document")
    def text_shown(self, row: Workflow) -> str:
        return format_html('<pre class="omni-json">{}</pre>', row.draft)

    @admin.display(description="version", ordering="latest_no")
    def latest_number(self, row: Workflow) -> str:
        return f"v{row.latest_no}" if row.latest_no else "draft only"

    @admin.display(description="bindings")
    def bindings_shown(self, row: Workflow) -> str:
        told = f"{row.on} on" + (f", {row.off} off" if row.off else "")
        told = told if row.on or row.off else "not switched on"
        return told if row.mode == "on" else format_html(
            '{} <span class="omni-tag omni-{}">{}</span>', told, row.mode, row.mode)

    @admin.display(description="recent runs")
    def runs_shown(self, row: Workflow) -> str:
        return format_html('<a class="omni-link" href="{}?workflow={}">{}</a>',
                           reverse("admin:registry_run_changelist"), row.pk, row.recent_runs)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None,
                        form_url: str = "", extra_context: dict | None = None) -> HttpResponse:
        """A save that lost a race in the last moment is done again: the form then sees it.

        Tests and publishing follow when the draft is committed: another process runs the tests.
        """
        try:
            answer = super().changeform_view(request, object_id, form_url, extra_context)
        except OmniError as exc:
            if exc.code != "stale":
                raise
            answer = super().changeform_view(request, object_id, form_url, extra_context)
        saved = getattr(request, "saved_workflow", None)
        return (saved and self.answer_tests(request, saved)) or answer

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        row, form = context.get("original"), context["adminform"].form
        if getattr(form, "stored", ""):
            context["stored"] = form.stored
            context["beside"] = version_diff.beside(form.stored, form.cleaned_draft)
            form.take_stored_revision()
        if form.is_bound and hasattr(form, "problems"):
            context["problems"] = form.problems
        elif row is not None:
            # which names instances: for those who see every one
            rivals = (overlap.warnings(row.draft) if self.has_change_permission(request, row)
                      else [])
            context["problems"] = drafts.problems(row.draft) + rivals
        if row is not None:
            context["versions"] = row.versions.select_related("author").defer(
                "text", "compiled")[:VERSIONS_SHOWN]
            context["is_published"] = row.latest_no and publishing.export_text(row) == row.draft
            context.update(self._where(request, row))
            context.update(self.tests_context(request, row))
            context.update(self.bindings_context(request, row))
            if not form.is_bound:
                context["problems"] = in_order([*context["problems"], *context["test_problems"]])
        context["may_edit"] = self.has_change_permission(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _where(self, request: HttpRequest, row: Workflow) -> dict[str, Any]:
        """How the workflow stands on the instances this person sees."""
        instances = list(Instance.objects.visible_to(principal(request)).active()
                         .order_by("slug").defer("credentials", "settings")[:INSTANCES_SHOWN + 1])
        trials = canary.on_trial(row)
        return {"views": [(view, trials.get(view.instance)) for view in
                          effective.views(row, instances[:INSTANCES_SHOWN])],
                "more_instances": len(instances) > INSTANCES_SHOWN}

    def save_model(self, request: HttpRequest, obj: Workflow, form: Any, change: bool) -> None:
        if change and "draft" not in form.changed_data:
            return
        saved = drafts.save_draft(form.cleaned_data["draft"], actor=principal(request).name,
                                  base_revision=form.cleaned_data.get("base_revision"))
        obj.pk = saved.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Workflow, *args: Any) -> HttpResponse:
        return self._after_saving(request, obj) or super().response_add(request, obj, *args)

    def response_change(self, request: HttpRequest, obj: Workflow) -> HttpResponse:
        return self._after_saving(request, obj) or super().response_change(request, obj)

    def _after_saving(self, request: HttpRequest, obj: Workflow) -> HttpResponse | None:
        if self.asks_tests(request):
            request.saved_workflow = obj
            return HttpResponse()  # `changeform_view` gives the answer
        errors = [item for item in drafts.problems(obj.draft) if item.severity == "error"]
        if errors:
            messages.warning(request, f"Draft saved with {len(errors)} problems; it cannot be "
                                      "published yet.")
        return None

    @verb("Pause", icon="pause", when=lambda row: row.mode == "on",
          confirm="Events still open runs, which queue up; a run at work finishes its turn.")
    def pause(self, request: HttpRequest, workflow: Workflow) -> None:
        self._set_mode(request, workflow, "paused")

    @verb("Drain", icon="logout", when=lambda row: row.mode == "on",
          confirm="No new runs are opened; live ones go on to their end.")
    def drain(self, request: HttpRequest, workflow: Workflow) -> None:
        self._set_mode(request, workflow, "draining")

    @verb("Resume", icon="play_arrow", when=lambda row: row.mode != "on",
          confirm="Queued runs start, and events open new ones again.")
    def resume(self, request: HttpRequest, workflow: Workflow) -> None:
        self._set_mode(request, workflow, "on")

    def _set_mode(self, request: HttpRequest, workflow: Workflow, mode: str) -> None:
        counts = modes.set_mode(workflow, mode, actor=principal(request).name)
        told = ", ".join(f"{number} {state}" for state, number in counts.items())
        messages.success(request, f"{workflow.slug} is {mode}; its runs: {told}.")

    @verb("Promote the canary", icon="rocket_launch", when=lambda row: bool(canary.on_trial(row)),
          confirm="Lets every binding run the version that is tried, and ends the canary. What "
                  "followed the newest version before follows it again.")
    def promote(self, request: HttpRequest, row: Workflow) -> None:
        version, changed = canary.promote(row, actor=principal(request).name)
        messages.success(request, f"All run v{version.number}. {repinned(changed)}")

    def export_yaml(self, request: HttpRequest, number: int) -> HttpResponse:
        """The draft as a file, as written."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Workflow, pk=number)
        return HttpResponse(row.draft, content_type="text/yaml; charset=utf-8", headers={
            "Content-Disposition": f'attachment; filename="{row.slug}.yaml"'})

    @action(description="Import YAML", icon="upload", permissions=["add"], url_path="import")
    def import_yaml(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST or None, request.FILES or None)
        problems: list = []
        if request.method == "POST" and form.is_valid():
            try:
                found = publishing.import_text(form.cleaned_data["text"],
                                               publish=form.cleaned_data["publish"],
                                               actor=principal(request).name, user=request.user,
                                               tests=elsewhere.tests_for(principal(request)))
            except InvalidWorkflow as exc:
                problems = exc.problems
            except Unavailable as exc:
                form.add_error(None, exc.message)
            else:
                messages.success(request, "Imported " + ", ".join(row.slug for row in found))
                for row in found:
                    for item in drafts.warnings(row.draft):
                        messages.warning(request, f"{row.slug}: {item}")
                return HttpResponseRedirect(reverse("admin:registry_workflow_changelist"))
        return TemplateResponse(request, "registry/admin/import.html", {
            **self.admin_site.each_context(request), "title": "Import workflows", "form": form,
            "opts": self.model._meta, "problems": problems})
