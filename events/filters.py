"""What lists of the event store can be narrowed by: a map from name to column, nothing else.

Times are when we received something, the order the pages follow.
"""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from connections.authentication import principal
from connections.envelope import CONVERSATION_KINDS, DIRECTIONS
from events.models import (
    Contact,
    Conversation,
    ConversationAlias,
    Event,
    EventAction,
    Handle,
    OutboxMessage,
    RawPayload,
)

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
            f"{self.field_name}__in": Contact.objects.same_as(int(value)).values("pk")})


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
    instance = filters.CharFilter(field_name="instance__slug", help_text="Slug.")
    provider = filters.CharFilter()
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
        wanted = value.split(",")
        globs = "|".join(_type_pattern(text) for text in wanted if "*" in text)
        some = Q(event_type__in=[text for text in wanted if "*" not in text])
        return queryset.filter(some | Q(event_type__regex=f"^({globs})$") if globs else some)

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
    instance = filters.CharFilter(field_name="instance__slug")
    event = IdFilter(field_name="event_id")
    run = IdFilter(field_name="run_id")
    workflow = filters.CharFilter()
    action = filters.CharFilter()
    status = filters.ChoiceFilter(choices=[(name, name) for name in OUTCOMES[:-1]])

    class Meta:
        model = EventAction
        fields: list[str] = []


class ConversationFilter(filters.FilterSet):
    instance = filters.CharFilter(field_name="instance__slug")
    kind = filters.ChoiceFilter(choices=[(name, name) for name in CONVERSATION_KINDS])
    contact = PersonFilter(field_name="contact_id")
    ref = filters.CharFilter(method="of_ref", help_text="Its ref, or another it has had.")
    q = WordsFilter(columns=("title", "ref"), help_text="Words of the title or the ref.")

    class Meta:
        model = Conversation
        fields: list[str] = []

    def of_ref(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        """The kept row, also by a name of a row that was merged into it."""
        return queryset.filter(Q(ref=value) | Exists(ConversationAlias.objects.filter(
            conversation=OuterRef("pk"), ref=value)))


class ContactFilter(filters.FilterSet):
    label = filters.CharFilter(field_name="labels", lookup_expr="contains")
    handle = filters.CharFilter(method="with_handle", help_text="A phone, mail, @name or id.")
    q = WordsFilter(columns=("name",), help_text="Words of the name.")

    class Meta:
        model = Contact
        fields: list[str] = []

    def with_handle(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.filter(Exists(Handle.objects.filter(contact=OuterRef("pk"), value=value)))


class OutboxFilter(filters.FilterSet):
    instance = filters.CharFilter(field_name="instance__slug")
    state = filters.ChoiceFilter(choices=OutboxMessage.STATES)
    kind = filters.CharFilter()
    run = IdFilter(field_name="run_id")
    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = OutboxMessage
        fields: list[str] = []


class RawFilter(filters.FilterSet):
    instance = filters.CharFilter(field_name="instance__slug")
    provider = filters.CharFilter()
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
