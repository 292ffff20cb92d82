"""What lists of workflows, bindings and runs can be narrowed by."""

from django_filters import rest_framework as filters

from events.filters import IdFilter, WordsFilter
from registry.models import Binding, Run, Workflow


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
    instance = filters.CharFilter(field_name="instance__slug")
    provider = filters.CharFilter()
    scope = filters.ChoiceFilter(choices=Binding.SCOPES)
    enabled = filters.BooleanFilter()

    class Meta:
        model = Binding
        fields: list[str] = []


class RunFilter(filters.FilterSet):
    instance = filters.CharFilter(field_name="instance__slug")
    workflow = filters.CharFilter(field_name="workflow__slug")
    event = IdFilter(field_name="event_id")
    conversation = IdFilter(field_name="event__conversation_id")
    state = filters.ChoiceFilter(choices=Run.STATES)
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Run
        fields: list[str] = []
