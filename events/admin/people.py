"""Admin: conversations, contacts with their handles, and refused deliveries."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from connections.access import Principal
from connections.admin.scope import EditableScopedAdmin, InstanceFilter, ScopedAdmin
from connections.rest.authentication import principal
from events.admin.shown import ShownContacts
from events.models import (
    Contact,
    Conversation,
    ConversationAlias,
    Event,
    Handle,
    Knock,
    Sighting,
)
from events.people.contacts import forget
from events.people.known_by import may_see, write
from events.people.same_person import merge
from events.store.merging import split
from omni.admin.pages import (
    ANSWER,
    BaseAdmin,
    KeysetMixin,
    ReadOnlyAdmin,
    VerbsMixin,
    link,
    pretty,
    verb,
)
from omni.admin.words import WordsForm, chips
from omni.audit import note

NEWEST = 20  # events listed on the page of a contact or conversation


def newest_events(rows: Any) -> str:
    """The newest events as links; ordered as the index of the rows is."""
    found = rows.order_by("-occurred_at", "-id").only(
        "id", "event_type", "occurred_at", "direction", "text")[:NEWEST]
    parts = [format_html("<li>{} {} {} {}</li>", event.occurred_at.strftime("%Y-%m-%d %H:%M"),
                         link(event, event.event_type), event.direction,
                         (event.text or "")[:100]) for event in found]
    return format_html('<ul class="omni-list">{}</ul>', format_html("{}" * len(parts), *parts)) \
        if parts else "-"


class LabelledAdmin(KeysetMixin, EditableScopedAdmin, VerbsMixin, BaseAdmin):
    """Rows the store makes; people only label them."""

    form = WordsForm
    formfield_overrides = {**EditableScopedAdmin.formfield_overrides,  # names are one line long
                           models.TextField: {"widget": UnfoldAdminTextInputWidget}}
    change_scope = "send"
    actions = None

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        name = obj._meta.model_name
        note(principal(request).name, f"{name}.changed", f"{name}:{obj.pk}",
             fields=form.changed_data)


class HandleInline(TabularInline):
    model = Handle
    fk_name = "contact"
    extra = 0
    can_delete = False
    fields = readonly_fields = ["provider", "kind", "value", "scope", "confidence", "linked_by",
                                "verified"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Only handles met on an instance the person sees."""
        return super().get_queryset(request).visible_to(principal(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ContactForm(WordsForm):
    def clean_attributes(self) -> dict[str, Any]:
        found = self.cleaned_data["attributes"] or {}
        if not isinstance(found, dict):
            raise ValidationError("Attributes are a JSON object.")
        return found


@admin.register(Contact)
class ContactAdmin(ShownContacts, LabelledAdmin):
    form = ContactForm
    list_display = ["__str__", "labels_shown", "merged_into", "created_at"]
    search_fields = ["name", "=handles__value"]
    fields = ["name", "labels", "attributes", "merged_into", ("people_group", "created_at"),
              "newest"]
    readonly_fields = ["merged_into", "people_group", "created_at", "newest"]
    inlines = [HandleInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("merged_into")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False,
                 **kwargs: Any) -> Any:
        """The page's own row carries who looks, for the list of events below it."""
        if obj is not None:
            obj.viewer = principal(request)
        return super().get_form(request, obj, change, **kwargs)

    def get_object(self, request: HttpRequest, *args: Any) -> Any:
        """The form holds what the person may see; what they change is written into the row."""
        contact = super().get_object(request, *args)
        if contact is not None and contact.shown is not None:
            contact.name, contact.labels = contact.shown.name, list(contact.shown.labels)
            contact.attributes = dict(contact.shown.attributes)
        return contact

    def get_search_results(self, request: HttpRequest, queryset: Any, words: str) -> tuple:
        """By words of the name, or a handle; nobody finds by what they may not see."""
        who, named = principal(request), models.Q()
        for word in words.split():
            named &= may_see(who, name=word)
        if not words.strip():
            return queryset, False
        handles = Handle.objects.filter(value=words.strip()).visible_to(who)
        return queryset.filter(named | models.Q(
            pk__in=list(handles.values_list("contact_id", flat=True)))), False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only what was changed, and what the form did not show stays."""
        who, before, after = principal(request), form.initial, form.cleaned_data
        facts: dict[str, Any] = {}
        if "name" in form.changed_data:
            facts["name"] = after["name"]
        if "labels" in form.changed_data:
            facts["add_labels"] = after["labels"]
            facts["remove_labels"] = set(before["labels"]) - set(after["labels"])
        if "attributes" in form.changed_data:
            facts["attributes"] = after["attributes"]
            facts["remove_attributes"] = before["attributes"].keys() - after["attributes"].keys()
        with transaction.atomic():
            write(Contact.objects.select_for_update().get(pk=obj.pk), **facts,
                  instance_ids=Sighting.objects.filter(
                      handle__contact=obj, instance__in=who.instance_ids).values_list(
                      "instance_id", flat=True) if who.instance_ids is not None else ())
            note(who.name, "contact.changed", f"contact:{obj.pk}", fields=form.changed_data)
        forget()  # who has no name, as far as it was seen

    @admin.display(description="labels")
    def labels_shown(self, contact: Contact) -> str:
        return chips((contact.shown or contact).labels)

    @admin.display(description="newest events")
    def newest(self, contact: Contact) -> str:
        if not hasattr(contact, "viewer"):
            return "-"
        return newest_events(Event.objects.visible_to(contact.viewer).of_contact(contact.pk))

    @verb("Merge into another", icon="merge", ask="Number of the contact to keep",
          when=lambda contact: contact.merged_into_id is None,
          confirm="Both are one person from now on. Their handles move to the contact you name.")
    def merge_into(self, request: HttpRequest, contact: Contact) -> HttpResponse | None:
        number = request.POST.get(ANSWER, "").strip()
        into = (self.get_queryset(request).filter(pk=number).first()
                if number.isascii() and number.isdigit() and len(number) < 19 else None)
        if into is None:
            messages.error(request, f"There is no contact with the number “{number}”.")
            return None
        if _is_met_elsewhere([contact, into], principal(request)):
            messages.error(request, "Other accounts know these people as well; somebody who sees "
                                    "every instance has to merge them.")
            return None
        merge(contact, into, actor=principal(request).name)
        messages.success(request, f"Merged into {into}.")
        return HttpResponseRedirect(reverse("admin:events_contact_change", args=[into.pk]))


def _is_met_elsewhere(contacts: list[Contact], who: Principal) -> bool:
    return who.instance_ids is not None and Sighting.objects.filter(
        handle__contact__in=contacts).exclude(instance__in=who.instance_ids).exists()


class AliasInline(TabularInline):
    model = ConversationAlias
    fk_name = "conversation"
    extra = 0
    can_delete = False
    fields = readonly_fields = ["ref", "is_guess"]
    verbose_name_plural = "other names of this place"
    has_view_permission = HandleInline.has_view_permission
    has_add_permission = HandleInline.has_add_permission
    has_change_permission = HandleInline.has_change_permission


@admin.register(Conversation)
class ConversationAdmin(ShownContacts, LabelledAdmin):
    list_display = ["__str__", "instance", "kind", "contact", "tags_shown", "merged_into",
                    "created_at"]
    list_filter = [InstanceFilter, "kind"]
    search_fields = ["title", "=ref"]
    fields = ["ref", "title", "tags", ("instance", "kind", "contact"), ("parent", "created_at"),
              "merged_into", "newest"]
    readonly_fields = ["instance", "kind", "ref", "contact", "parent", "created_at",
                       "merged_into", "newest"]
    inlines = [AliasInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related(
            "instance", "contact", "merged_into").defer("instance__credentials")

    @admin.display(description="tags")
    def tags_shown(self, conversation: Conversation) -> str:
        return chips(conversation.tags)

    @admin.display(description="newest events")
    def newest(self, conversation: Conversation) -> str:
        return newest_events(Event.objects.of_conversation(conversation.pk))

    @verb("Split again", icon="call_split", when=lambda place: place.merged_into_id is not None,
          confirm="These are two conversations and two people after all. Events that name both "
                  "addresses leave them apart from then on.")
    def split(self, request: HttpRequest, conversation: Conversation) -> HttpResponse | None:
        kept = split(conversation, actor=principal(request).name)
        messages.success(request, f"No longer part of {kept}.")
        return None

    @verb("Take a name away", icon="link_off", ask="Which of its other names is somebody else's",
          when=lambda place: place.aliases.exists(),
          confirm="That address becomes a conversation of its own. Events that name both leave "
                  "them apart from then on.")
    def take_away(self, request: HttpRequest, conversation: Conversation) -> HttpResponse | None:
        ref = request.POST.get(ANSWER, "").strip()
        split(conversation, actor=principal(request).name, ref=ref)
        messages.success(request, f"“{ref}” is a conversation of its own now.")
        return None


@admin.register(Knock)
class KnockAdmin(ScopedAdmin, ReadOnlyAdmin):
    """Refused deliveries: addresses nobody configured, proofs that failed."""

    view_scope = "admin"
    list_display = ["hour", "address", "reason", "count", "last_at"]
    list_filter = ["reason"]
    search_fields = ["address"]
    fields = ["hour", "address", "reason", "count", "last_at", "detail", "headers"]
    readonly_fields = ["headers"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """They belong to no instance, so only people who see all of them see these."""
        rows = super().get_queryset(request)
        return rows if principal(request).instance_ids is None else rows.none()

    @admin.display(description="sample of headers")
    def headers(self, knock: Knock) -> str:
        return pretty(knock.sample_headers)
