"""Admin: keys of programs, and people with their grants."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from connections.access import KEY_DAYS, KEY_MAX_DAYS, SCOPES, ApiKey, InstanceGrant
from connections.admin.scope import EditableScopedAdmin
from connections.rest.authentication import principal
from omni.admin.pages import BaseAdmin, VerbsMixin, verb
from omni.audit import note

User = get_user_model()


def scopes_field() -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(choices=[(name, name) for name in SCOPES],
                                     widget=forms.CheckboxSelectMultiple)


class ApiKeyForm(forms.ModelForm):
    """Issues a key, or renames one: what a key may do never changes after it was given away."""

    scopes = scopes_field()
    days = forms.IntegerField(min_value=1, max_value=KEY_MAX_DAYS, initial=KEY_DAYS,
                              widget=UnfoldAdminIntegerFieldWidget, label="Days until it expires")
    principal: Any = None  # set by the admin: who is asking

    class Meta:
        model = ApiKey
        fields = ["name", "instances"]
        labels = {"instances": "Instances (none: every instance)"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "scopes" not in self.fields or self.principal is None:
            return cleaned
        beyond = [name for name in cleaned.get("scopes", []) if not self.principal.may(name)]
        if beyond:
            raise ValidationError({"scopes": f"You lack {', '.join(beyond)} yourself."})
        if not cleaned.get("instances") and self.principal.instance_ids is not None:
            raise ValidationError({"instances": "Name instances: your grants are not for all."})
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(EditableScopedAdmin, VerbsMixin, BaseAdmin):
    """The text of a key is shown once, in the message after saving."""

    view_scope = "admin"
    form = ApiKeyForm
    list_display = ["name", "key_id", "scopes_shown", "state", "expires_at", "last_used_at"]
    search_fields = ["name", "public_id"]
    autocomplete_fields = ["instances"]
    list_per_page = 50
    add_fieldsets = [(None, {"fields": ["name", "scopes", "instances", "days"]})]
    fieldsets = [(None, {"fields": ["name", "key_id", "scopes_shown", "instances", "state",
                                    "made_by", "created_at", "expires_at", "revoked_at",
                                    "last_used_at"]})]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).within_reach_of(principal(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key_id", "scopes_shown", "state", "made_by", "created_at", "expires_at",
                "revoked_at", "last_used_at", "instances"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False,
                 **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change, **{**kwargs, "form": forms.ModelForm})
        made = super().get_form(request, obj, change, **kwargs)
        made.principal = principal(request)
        return made

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        who = principal(request)
        if change:
            super().save_model(request, obj, form, change)
            note(who.name, "key.renamed", obj.public_id)
            return
        facts = form.cleaned_data
        instances = list(facts["instances"])
        key, text = ApiKey.issue(facts["name"], scopes=facts["scopes"], days=facts["days"],
                                 instances=instances, by=who)
        obj.pk, obj.public_id, obj.digest = key.pk, key.public_id, key.digest
        note(who.name, "key.issued", key.public_id, scopes=facts["scopes"],
             instances=[row.slug for row in instances])
        messages.warning(request, format_html(
            'Copy this key now, it is not shown again: <code class="omni-once">{}</code>', text))

    @admin.display(description="id")
    def key_id(self, key: ApiKey) -> str:
        return f"omni_{key.public_id}_…"

    @admin.display(description="scopes")
    def scopes_shown(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @display(description="state", label={"live": "success", "expired": "warning",
                                         "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        expired = key.expires_at and key.expires_at <= timezone.now()
        return "expired" if expired else "live"

    @verb("Revoke", icon="block", is_danger=True, when=lambda key: key.revoked_at is None,
          confirm="The key stops working now and for good.")
    def revoke(self, request: HttpRequest, key: ApiKey) -> None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        note(principal(request).name, "key.revoked", key.public_id)
        messages.success(request, f"{key.name} is revoked.")


class GrantForm(forms.ModelForm):
    scopes = scopes_field()

    class Meta:
        model = InstanceGrant
        fields = ["instance", "scopes"]


class GrantInline(TabularInline):
    model = InstanceGrant
    form = GrantForm
    extra = 0
    autocomplete_fields = ["instance"]
    verbose_name_plural = "grants: what this person may see and do (superusers need none)"


class PersonAdmin(UserAdmin, BaseAdmin):
    """People. Grants are written to the audit log with their scopes."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_per_page = 50

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list:
        return [GrantInline] if obj and request.user.is_superuser else []

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is not InstanceGrant or not formset.has_changed():
            return
        grants = InstanceGrant.objects.filter(user=form.instance).select_related("instance")
        note(principal(request).name, "grants.changed", f"user:{form.instance.get_username()}",
             grants=[{"instance": str(row.instance or "every"), "scopes": row.scopes}
                     for row in grants])


class PeopleGroupAdmin(GroupAdmin, BaseAdmin):
    pass


for _model, _page in ((User, PersonAdmin), (Group, PeopleGroupAdmin)):
    admin.site.unregister(_model)
    admin.site.register(_model, _page)
