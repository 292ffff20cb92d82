"""Admin: secrets of workflows. A value is typed, replaced, and never shown."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminPasswordWidget

from connections.admin.scope import EditableScopedAdmin
from connections.models import Secret
from connections.rest.authentication import principal
from connections.secrets.store import MOST_CHARACTERS
from connections.secrets.texts import LEAST_CHARACTERS
from omni.admin.pages import BaseAdmin
from omni.audit import note


class SecretForm(forms.ModelForm):
    value = forms.CharField(
        required=False, min_length=LEAST_CHARACTERS, max_length=MOST_CHARACTERS,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Never shown again. Leave empty to keep what is stored.")

    class Meta:
        model = Secret
        fields = ["name", "instance", "value"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.pop("value", None)
        self._kept = self.instance.value if self.instance.pk else ""

    def clean_value(self) -> str:
        given = self.cleaned_data["value"] or self._kept
        if not given:
            raise forms.ValidationError("Give the secret its value.")
        return given


@admin.register(Secret)
class SecretAdmin(EditableScopedAdmin, BaseAdmin):
    """Those of every instance are changed by who sees every instance."""

    view_scope = "admin"
    is_deletable = True
    form = SecretForm
    fields = ["name", "instance", "value"]
    list_display = ["name", "where", "updated_at"]
    list_select_related = ["instance"]
    search_fields = ["name"]
    autocomplete_fields = ["instance"]
    list_per_page = 50

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name", "instance"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False,
                 **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        if "instance" in made.base_fields and principal(request).instance_ids is not None:
            made.base_fields["instance"].required = True
        return made

    @admin.display(description="for")
    def where(self, row: Secret) -> str:
        return row.instance.slug if row.instance else "every instance"

    def save_model(self, request: HttpRequest, obj: Secret, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._note(request, "secret.changed" if change else "secret.created", obj)

    def delete_model(self, request: HttpRequest, obj: Secret) -> None:
        self._note(request, "secret.deleted", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)

    def _note(self, request: HttpRequest, what: str, row: Secret) -> None:
        note(principal(request).name, what, row.name, instance=self.where(row))
