"""The form side of encrypted credentials: written, replaced and cleared, never shown."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminTextareaWidget


class WriteOnlyField(forms.Field):
    """A JSON object that is typed and never rendered, not even after a mistake."""

    widget = UnfoldAdminTextareaWidget(attrs={
        "rows": 4, "autocomplete": "off", "spellcheck": "false",
        "placeholder": '{"api_key": "…"}', "class": "omni-mono"})

    def prepare_value(self, value: Any) -> str:
        return ""

    def to_python(self, value: str | None) -> dict[str, Any]:
        if not value or not value.strip():
            return {}
        try:
            found = json.loads(value)
        except ValueError:
            raise ValidationError("This is no JSON; write an object such as "
                                  '{"api_key": "…"}.') from None
        if not isinstance(found, dict):
            raise ValidationError("Write a JSON object: one name and value per secret.")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data and str(data).strip())


class CredentialsForm(forms.ModelForm):
    """A form of a row with `credentials`: empty keeps them, names given replace those names."""

    credentials = WriteOnlyField(required=False)
    clear_credentials = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Clear")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.pop("credentials", None)
        self._told: set[str] = set()
        self._kept = dict(self.instance.credentials or {}) if self.instance.pk else {}
        names = sorted(self._kept)
        if "credentials" in self.fields:
            told = f"Set: {', '.join(names)}. " if names else "None set. "
            self.fields["credentials"].help_text = (
                told + "Values are never shown. Leave empty to keep them; a name given here "
                "replaces that one.")
        if "clear_credentials" in self.fields:
            self.fields["clear_credentials"].choices = [(name, name) for name in names]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        gone = set(cleaned.get("clear_credentials") or [])
        kept = {name: value for name, value in self._kept.items() if name not in gone}
        self._told = gone | set(cleaned.get("credentials") or {})
        cleaned["credentials"] = {**kept, **(cleaned.get("credentials") or {})}
        return cleaned

    def stored_secrets(self) -> dict[str, Any]:
        """What the row held before this form."""
        return self._kept

    def told_secrets(self) -> set[str]:
        """Names that were given or cleared in this form, once it is cleaned."""
        return self._told

    def changed_secrets(self) -> dict[str, list[str]]:
        """Names only, for the audit log: {set: [...], cleared: [...]}, empty lists left out."""
        now = self.cleaned_data.get("credentials") or {}
        facts = {"credentials_set": sorted(name for name in now if now[name]
                                           != self._kept.get(name)),
                 "credentials_cleared": sorted(set(self._kept) - set(now))}
        return {name: names for name, names in facts.items() if names}
