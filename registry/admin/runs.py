"""Admin: runs with their steps, and why events were routed as they were."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import display

from connections.access import Principal
from connections.admin.instances import ago
from connections.admin.scope import InstanceFilter, ScopedAdmin
from connections.rest.authentication import principal
from events.admin.put_aside import PutAsideMixin
from events.admin.trace import step, waits_of
from events.models import EventAction, OutboxMessage
from omni.admin.pages import KeysetMixin, ReadOnlyAdmin, link, pretty, verb
from registry.engine.starts.reruns import rerun
from registry.engine.waits.endings import cancel_by
from registry.models import RoutingDecision, Run, Workflow
from registry.models.run import ENDED, FAILED, LIVE

RECENT = 20_000  # newest runs counted for "recent runs"; keeps the list cheap at any size
STEPS_MOST = 1000
COLORS = {"queued": "info", "blocked": "warning", "running": "info", "waiting": "warning",
          "done": "success", "ignored": "", "failed": "danger", "dead": "danger",
          "canceled": "warning"}


def runs_by_workflow(workflow_ids: list[int], who: Principal) -> dict[int, int]:
    """How many of the newest RECENT runs each workflow had, on the instances somebody sees."""
    newest = Run.objects.aggregate(newest=Max("pk"))["newest"] or 0
    rows = (Run.objects.visible_to(who)
            .filter(pk__gt=newest - RECENT, workflow_id__in=workflow_ids).order_by()
            .values("workflow_id").annotate(runs=Count("pk")))
    return {row["workflow_id"]: row["runs"] for row in rows}


class WorkflowFilter(admin.SimpleListFilter):
    """Every workflow by name; there are hundreds at most."""

    title = "workflow"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), slug) for pk, slug in
                Workflow.objects.order_by("slug").values_list("pk", "slug")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or ""
        return queryset.filter(workflow_id=int(value)) if value.isdigit() else queryset


class FailedFilter(admin.SimpleListFilter):
    title = "failure"
    parameter_name = "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Failed, open"), ("aside", "Put aside")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "1":
            return queryset.failures()
        return queryset.put_aside() if self.value() == "aside" else queryset


@admin.register(Run)
class RunAdmin(PutAsideMixin, KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    aside_kind = "run"
    actions = ["put_chosen_aside"]
    change_form_template = "registry/admin/run.html"
    list_display = ["id", "created", "workflow", "instance", "event_link", "status", "why",
                    "took"]
    list_filter = [FailedFilter, "state", WorkflowFilter, InstanceFilter]
    list_select_related = ["workflow", "instance"]
    search_fields = ["id"]
    search_help_text = "number of a run or of an event"
    fieldsets = [
        (None, {"fields": [("workflow_link", "version_link", "instance"),
                           ("state", "code", "event_link"), "reason",
                           "put_aside_shown"]}),
        ("Queue", {"fields": [("replay_no", "priority", "slot_key"),
                              ("available_at", "lease_owner", "lease_until"),
                              ("token", "deaths", "step_path"),
                              ("created_at", "started_at", "ended_at", "deadline"),
                              "inputs_shown"]}),
    ]
    readonly_fields = ["workflow_link", "version_link", "event_link", "inputs_shown",
                       "put_aside_shown"]

    def waits(self, row: Run) -> bool:
        return row.state in FAILED

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(
            "workflow", "instance", "version", "version__workflow").defer(
            "workflow__draft", "version__text", "version__compiled", "version__workflow__draft",
            "instance__credentials")

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        words = words.strip()
        if not words:
            return queryset, False
        if not words.isascii() or not words.isdigit() or len(words) > 18:
            return queryset.none(), False
        found = queryset.filter(pk=words)
        return (found if found.exists() else queryset.filter(event_id=words)), False

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        run = context["original"]
        rows = EventAction.objects.filter(run_id=run.pk).in_order()[:STEPS_MOST]
        context["steps"] = [step(row) for row in rows]
        context["waits"] = [wait for _, wait in waits_of(Run.objects.filter(pk=run.pk))]
        context["sends"] = list(OutboxMessage.objects.filter(run_id=run.pk).order_by("id"))
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="created")
    def created(self, run: Run) -> str:
        return ago(run.created_at)

    @display(description="state", label=COLORS)
    def status(self, run: Run) -> str:
        return run.state

    @admin.display(description="reason")
    def why(self, run: Run) -> str:
        return run.reason[:100] or "-"

    @admin.display(description="took")
    def took(self, run: Run) -> str:
        if not run.ended_at:
            return "-"
        seconds = (run.ended_at - (run.started_at or run.created_at)).total_seconds()
        return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"

    @admin.display(description="event")
    def event_link(self, run: Run) -> str:
        return format_html('<a class="omni-link" href="{}">event {}</a>',
                           reverse("admin:events_event_change", args=[run.event_id]),
                           run.event_id)

    @admin.display(description="workflow")
    def workflow_link(self, run: Run) -> str:
        return link(run.workflow)

    @admin.display(description="version")
    def version_link(self, run: Run) -> str:
        return link(run.version, f"v{run.version.number}")

    @admin.display(description="inputs")
    def inputs_shown(self, run: Run) -> str:
        return pretty(run.inputs)

    @verb("Cancel", icon="cancel", may="send", is_danger=True,
          when=lambda run: run.state in LIVE,
          confirm="A step that is being done finishes; nothing follows it.")
    def cancel(self, request: HttpRequest, run: Run) -> None:
        cancel_by(principal(request).name, run)
        messages.success(request, f"Run {run.pk} is canceled.")

    @verb("Run again", icon="replay", may="send", when=lambda run: run.state in ENDED,
          confirm="The same version on the same event, as a new run. It does its effects again: "
                  "messages are sent once more.")
    def rerun(self, request: HttpRequest, run: Run) -> HttpResponse:
        return self._again(request, run, "whole")

    @verb("Go on from the failed step", icon="resume", may="send",
          when=lambda run: run.state in FAILED,
          confirm="A new run of the same version: what was done before the failure is read from "
                  "this run, the failed step and all after it are done.")
    def go_on(self, request: HttpRequest, run: Run) -> HttpResponse:
        return self._again(request, run, "from_failed")

    def _again(self, request: HttpRequest, run: Run, mode: str) -> HttpResponse:
        fresh = rerun(run, actor=principal(request).name, mode=mode)
        messages.success(request, f"Run {fresh.pk} repeats run {run.pk}.")
        return HttpResponseRedirect(reverse("admin:registry_run_change", args=[fresh.pk]))


class MatchedFilter(admin.SimpleListFilter):
    title = "outcome"
    parameter_name = "matched"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Something ran"), ("0", "Nothing ran")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "1":
            return queryset.filter(matched__gt=0)
        return queryset.filter(matched=0) if self.value() == "0" else queryset


@admin.register(RoutingDecision)
class RoutingDecisionAdmin(KeysetMixin, ScopedAdmin, ReadOnlyAdmin):
    list_display = ["event_id", "decided_at", "instance", "event_link", "matched", "reason"]
    list_filter = [MatchedFilter, InstanceFilter]
    list_select_related = ["instance"]
    fields = ["event_link", ("instance", "matched", "decided_at"), "reason", "considered_shown"]
    readonly_fields = ["event_link", "considered_shown"]
    event_link = RunAdmin.event_link

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance").defer(
            "instance__credentials")

    @admin.display(description="considered")
    def considered_shown(self, decision: RoutingDecision) -> str:
        return pretty(decision.considered)
