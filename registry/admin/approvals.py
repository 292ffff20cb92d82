"""Admin: questions to people, and the page where they answer."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display

from connections.admin.instances import ago
from connections.admin.scope import InstanceFilter, ScopedAdmin
from connections.rest.authentication import principal
from omni.admin.pages import ReadOnlyAdmin, link, moment, pretty, verb
from registry.engine.waits import approvals
from registry.models import Approval

SHOWN_IN_LIST = 120  # characters
COLORS = {"open": "warning", "approved": "success", "rejected": "danger", "closed": ""}


def _is_open(row: Approval) -> bool:
    return row.state == "open"


@admin.register(Approval)
class ApprovalAdmin(ScopedAdmin, ReadOnlyAdmin):
    change_form_template = "registry/admin/approval.html"
    change_form_outer_before_template = None  # the page has its buttons beside the text
    list_display = ["id", "status", "ask", "beginning", "until", "workflow_link", "instance",
                    "asked", "answered_by", "created"]
    list_display_links = ["id", "ask"]
    list_filter = ["state", InstanceFilter]
    list_select_related = ["instance", "run__workflow"]
    search_fields = ["ask"]
    search_help_text = "words of the question"
    sortable_by = ()
    fields = [("workflow_link", "run_link", "event_link"), ("instance", "state", "asked"),
              ("created_at", "deadline_shown", "on_timeout"), "via_shown"]
    readonly_fields = ["workflow_link", "run_link", "event_link", "asked", "deadline_shown",
                       "via_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("instance", "run__workflow").defer(
            "instance__credentials", "run__workflow__draft")

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """Open ones first, then the newest."""
        return [Case(When(state="open", then=Value(0)), default=Value(1)).asc(), "-pk"]

    def has_answer_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person is among those who are asked."""
        who = principal(request)
        return obj is not None and who.may("send") and approvals.for_person(
            Approval.objects.filter(pk=obj.pk), who, user=request.user).exists()

    def render_change_form(self, request: HttpRequest, context: dict, *args: Any,
                           **kwargs: Any) -> HttpResponse:
        row = context["original"]
        meta = self.model._meta
        context.update({
            "is_text": isinstance(row.show, str), "shown": pretty(row.show),
            "edited_shown": pretty(row.edited) if not isinstance(row.edited, str) else "",
            "is_late": bool(row.deadline and row.deadline <= timezone.now()),
            "may_answer": self.has_answer_permission(request, row),
            "answer_at": {name: reverse(f"admin:{meta.app_label}_{meta.model_name}_do",
                                        args=[row.pk, name]) for name in approvals.DECISIONS}})
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="state", label=COLORS)
    def status(self, row: Approval) -> str:
        return row.state

    @admin.display(description="what is approved")
    def beginning(self, row: Approval) -> str:
        text = row.show if isinstance(row.show, str) else pretty(row.show)
        if not isinstance(row.show, str) or len(text) <= SHOWN_IN_LIST:
            return text
        return f"{text[:SHOWN_IN_LIST]}…"

    @admin.display(description="deadline")
    def until(self, row: Approval) -> str:
        if row.deadline is None or row.state != "open":
            return moment(row.deadline)
        left = (row.deadline - timezone.now()).total_seconds()
        return format_html("{} <span class=\"omni-quiet\">{}</span>", moment(row.deadline),
                           f"in {_length(left)}" if left > 0 else "passed")

    @admin.display(description="deadline")
    def deadline_shown(self, row: Approval) -> str:
        return self.until(row) if row.deadline else "none"

    @admin.display(description="asked")
    def asked(self, row: Approval) -> str:
        return ", ".join(row.of)

    @admin.display(description="asked by way of")
    def via_shown(self, row: Approval) -> str:
        return ", ".join(row.via)

    @admin.display(description="created")
    def created(self, row: Approval) -> str:
        return ago(row.created_at)

    @admin.display(description="workflow")
    def workflow_link(self, row: Approval) -> str:
        return link(row.run.workflow)

    @admin.display(description="run")
    def run_link(self, row: Approval) -> str:
        return link(row.run, f"run {row.run_id}")

    @admin.display(description="event")
    def event_link(self, row: Approval) -> str:
        return format_html('<a class="omni-link" href="{}">event {}</a>',
                           reverse("admin:events_event_change", args=[row.event_id]),
                           row.event_id)

    @verb("Approve", icon="check", may="answer", when=_is_open,
          confirm="The run goes on with what is shown.")
    def approve(self, request: HttpRequest, row: Approval) -> None:
        self._answer(request, row, "approve")

    @verb("Reject", icon="close", may="answer", when=_is_open, is_danger=True,
          confirm="The run goes on without it.")
    def reject(self, request: HttpRequest, row: Approval) -> None:
        self._answer(request, row, "reject")

    def _answer(self, request: HttpRequest, row: Approval, decision: str) -> None:
        answered = approvals.answer(row, decision, actor=principal(request).name,
                                    edited=_edited(request, row),
                                    comment=_lines(request.POST.get("comment", "")))
        messages.success(request, f"Approval {row.pk} is {answered.state}.")


def _edited(request: HttpRequest, row: Approval) -> str | None:
    """What a person made of the text; None when it is as it was. Forms write lines with CRLF."""
    given = request.POST.get("edited")
    if given is None or not isinstance(row.show, str) or _lines(given) == _lines(row.show):
        return None
    return _lines(given)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _length(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
