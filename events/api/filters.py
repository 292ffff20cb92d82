"""What lists of the event store can be narrowed by: a map from name to column, nothing else.

Names are turned into ids first, so that a page is read from an index of the column; a join or a
subquery would walk the whole table backwards. Times are when we received something, the order the
pages follow.
"""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from connections.envelope import CONVERSATION_KINDS, DIRECTIONS
from connections.models import Instance
from connections.rest.authentication import principal
from events.models import (
    Contact,
    Conversation,
    Event,
    EventAction,
    Handle,
    OutboxMessage,
    RawPayload,
)
from events.people import known_by

OUTCOMES = ("done", "stopped", "skipped", "failed", "unavailable", "unknown", "none")
MAX_WORDS = 16
MAX_TYPES = 32
_ID_MAX = 2 ** 63 - 1
_WHOLE_NUMBER = RegexValidator(r"\A[0-9]+\Z", "must be a whole number")
_TYPE = re.compile(r"[a-z0-9_.*]{1,64}")


@extend_schema_field(OpenApiTypes.INT64)
class IdFilter(filters.CharFilter):
    """An exact id; one no row can have finds nothing instead of failing in the database."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[_WHOLE_NUMBER], **kwargs)

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if value and (len(value) > 19 or int(value) > _ID_MAX):
            return queryset.none()
        return super().filter(queryset, value)


@extend_schema_field(OpenApiTypes.STR)
class AccountFilter(filters.CharFilter):
    """Rows of the instance with this slug. by: another column of instances that is asked."""

    def __init__(self, *, by: str = "slug", field_name: str = "instance_id", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, **kwargs)
        self.by = by

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value:
            return queryset
        found = list(Instance.objects.filter(**{self.by: value}).values_list("pk", flat=True))
        return queryset.filter(**{f"{self.field_name}__in": found})


class PlaceFilter(IdFilter):
    """Rows of a conversation, whichever of its merged rows they were stored with."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value or len(value) > 19 or int(value) > _ID_MAX:
            return super().filter(queryset, value)
        return queryset.filter(**{
            f"{self.field_name}__in": Conversation.objects.group_ids([int(value)])})


class PersonFilter(IdFilter):
    """Rows of a contact, whichever of its merged rows they were stored with."""

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        if not value or len(value) > 19 or int(value) > _ID_MAX:
            return super().filter(queryset, value)
        return queryset.filter(**{
            f"{self.field_name}__in": Contact.objects.group_ids(int(value))})


class WordsFilter(filters.CharFilter):
    """Every word must occur in one of `columns`, in any order; letters of any case match.

    Words are taken as they are: no operators, no wildcards.
    """

    def __init__(self, *, columns: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(max_length=500, validators=[_few_words], **kwargs)
        self.columns = columns

    def filter(self, queryset: QuerySet, value: str) -> QuerySet:
        for word in (value or "").split():
            anywhere = Q()
            for column in self.columns:
                anywhere |= Q(**{f"{column}__icontains": word})
            queryset = queryset.filter(anywhere)
        return queryset


def _few_words(text: str) -> None:
    if len(text.split()) > MAX_WORDS:
        raise ValidationError(f"at most {MAX_WORDS} words")


def _types(text: str) -> None:
    wanted = text.split(",")
    if len(wanted) > MAX_TYPES:
        raise ValidationError(f"at most {MAX_TYPES} kinds")
    for name in wanted:
        if not _TYPE.fullmatch(name):
            raise ValidationError("'%(name)s' is no kind; write message.text, message.* or **",
                                  params={"name": name[:80]})


def _type_pattern(glob: str) -> str:
    """`*` stands for one part of a kind, `**` for any number, `*` alone for everything."""
    if glob == "*":
        return ".*"
    return ".*".join("[^.]*".join(re.escape(part) for part in piece.split("*"))
                     for piece in glob.split("**"))


class EventFilter(filters.FilterSet):
    instance = AccountFilter(help_text="Slug.")
    provider = AccountFilter(by="provider")
    event_type = filters.CharFilter(
        method="of_types", validators=[_types], help_text=(
            "Kinds, separated by commas; `*` stands for one part of a name and `**` for any "
            "number: `message.*`, `message.status.*`, `message.**`."))
    conversation = PlaceFilter(
        field_name="conversation_id", help_text="Its number, or that of a row merged with it.")
    conversation_ref = filters.CharFilter(
        method="at_place", help_text="The provider's id of the conversation, any it has had.")
    contact = PersonFilter(
        field_name="contact_id", help_text="Its number, or that of a row merged with it.")
    actor = filters.CharFilter(field_name="provider_actor_ref",
                               help_text="The provider's id of who did it.")
    direction = filters.ChoiceFilter(choices=[(name, name) for name in DIRECTIONS])
    since = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")
    q = WordsFilter(columns=("text", "subject"), help_text="Words of the text or the subject.")
    action_outcome = filters.ChoiceFilter(
        choices=[(name, name) for name in OUTCOMES], method="with_outcome",
        help_text="Events with a step that ended so; none: no step ran.")

    class Meta:
        model = Event
        fields: list[str] = []

    def of_types(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        """Globs are compared with the kinds that are there: few, and found by skipping."""
        wanted = set(value.split(","))
        if wanted & {"*", "**"}:
            return queryset
        globs = "|".join(_type_pattern(text) for text in wanted if "*" in text)
        if globs:
            wanted.update(filter(re.compile(globs).fullmatch, Event.objects.kinds()))
        return queryset.filter(event_type__in=sorted(wanted))

    def at_place(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        named = list(Conversation.objects.visible_to(principal(self.request)).named(
            value).values_list("pk", flat=True))
        return queryset.filter(conversation_id__in=Conversation.objects.group_ids(named))

    def with_outcome(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        steps = EventAction.objects.filter(event=OuterRef("pk"))
        if value == "none":
            return queryset.filter(~Exists(steps))
        return queryset.filter(Exists(steps.filter(status=value)))


class ActionFilter(filters.FilterSet):
    instance = AccountFilter()
    event = IdFilter(field_name="event_id")
    run = IdFilter(field_name="run_id")
    workflow = filters.CharFilter()
    action = filters.CharFilter()
    status = filters.ChoiceFilter(choices=[(name, name) for name in OUTCOMES[:-1]])

    class Meta:
        model = EventAction
        fields: list[str] = []


class ConversationFilter(filters.FilterSet):
    instance = AccountFilter()
    kind = filters.ChoiceFilter(choices=[(name, name) for name in CONVERSATION_KINDS])
    contact = PersonFilter(field_name="contact_id")
    ref = filters.CharFilter(method="of_ref", help_text="Its ref, or another it has had.")
    q = WordsFilter(columns=("title", "ref"), help_text="Words of the title or the ref.")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def of_ref(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        """The kept row, also by a name of a row that was merged into it."""
        named = Conversation.objects.visible_to(principal(self.request)).named(value)
        return queryset.filter(pk__in=list(named.values_list("pk", flat=True)))


class ContactFilter(filters.FilterSet):
    label = filters.CharFilter(method="with_label")
    handle = filters.CharFilter(method="with_handle", help_text="A phone, mail, @name or id.")
    q = filters.CharFilter(method="named", max_length=500, validators=[_few_words],
                           help_text="Words of the name.")

    class Meta:
        model = Contact
        fields: list[str] = []

    def with_label(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(known_by.may_see(principal(self.request), label=value))

    def with_handle(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        handles = Handle.objects.filter(value=value).visible_to(principal(self.request))
        return queryset.filter(pk__in=list(handles.values_list("contact_id", flat=True)))

    def named(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        for word in value.split():
            queryset = queryset.filter(known_by.may_see(principal(self.request), name=word))
        return queryset


class OutboxFilter(filters.FilterSet):
    instance = AccountFilter()
    state = filters.ChoiceFilter(choices=OutboxMessage.STATES)
    kind = filters.CharFilter()
    run = IdFilter(field_name="run_id")
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = OutboxMessage
        fields: list[str] = []


class RawFilter(filters.FilterSet):
    instance = AccountFilter()
    provider = AccountFilter(by="provider")
    dead_letters = filters.BooleanFilter(
        method="dead", help_text="Only deliveries that were authentic and became no event.")
    reason = filters.CharFilter(field_name="quarantine_reason")
    since = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="received_at", lookup_expr="lt")

    class Meta:
        model = RawPayload
        fields: list[str] = []

    def dead(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        return queryset.dead_letters() if value else queryset.filter(quarantine_reason="")
