"""What lists of workflows, bindings, runs and approvals can be narrowed by."""

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from connections.rest.authentication import principal
from events.api.filters import AccountFilter, IdFilter, PlaceFilter, WordsFilter
from registry.engine.waits import approvals
from registry.models import Approval, Binding, Run, Workflow


class WorkflowFilter(filters.FilterSet):
    archived = filters.BooleanFilter(field_name="archived_at", lookup_expr="isnull", exclude=True,
                                     help_text="Only archived ones, or only the others.")
    q = WordsFilter(columns=("slug", "name", "description"),
                    help_text="Words of the id, the name or the description.")

    class Meta:
        model = Workflow
        fields: list[str] = []


class BindingFilter(filters.FilterSet):
    workflow = filters.CharFilter(field_name="workflow__slug")
    instance = AccountFilter()
    provider = filters.CharFilter()
    scope = filters.ChoiceFilter(choices=Binding.SCOPES)
    enabled = filters.BooleanFilter()

    class Meta:
        model = Binding
        fields: list[str] = []


class RunFilter(filters.FilterSet):
    instance = AccountFilter()
    workflow = filters.CharFilter(method="of_workflow")
    event = IdFilter(field_name="event_id")
    conversation = PlaceFilter(field_name="event__conversation_id")
    state = filters.ChoiceFilter(choices=Run.STATES)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []

    def of_workflow(self, rows: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        """By its number, looked up first: the index of runs begins with that."""
        found = list(Workflow.objects.filter(slug=value).values_list("pk", flat=True))
        return rows.filter(workflow_id__in=found)


class ApprovalFilter(filters.FilterSet):
    instance = AccountFilter()
    run = IdFilter(field_name="run_id")
    state = filters.ChoiceFilter(choices=Approval.STATES)
    mine = filters.BooleanFilter(method="for_caller",
                                 help_text="Only those the caller may answer, or the others.")

    class Meta:
        model = Approval
        fields: list[str] = []

    def for_caller(self, rows: QuerySet[Approval], name: str, mine: bool) -> QuerySet[Approval]:
        found = approvals.for_person(rows, principal(self.request), user=self.request.user)
        return found if mine else rows.exclude(pk__in=found.values("pk"))
