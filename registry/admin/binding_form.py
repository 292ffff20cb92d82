"""Form of the admin: for whom a workflow is switched on, and with what values.

The inputs are fields made from their declaration; what is left empty is not given, so a wider
binding or the document's default decides.
"""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction

from connections.library import adapters
from connections.models import Instance
from omni.errors import InvalidInput, OmniError
from registry.language import document
from registry.language.definition import Input
from registry.language.inputs import WANTED
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import bindings

_PLACES = [("instance", "These accounts"), ("provider", "Every account of a provider"),
           ("global", "Every account")]
_PREFIX = "input_"
_AS_JSON = ("list", "mapping", "handles", "contacts")
_ROWS = ("contact", "conversation")  # digits are the number of a row
_TEXT = {"class": "omni-input", "autocomplete": "off"}


class BindingForm(forms.Form):
    """Makes bindings, one for each place that is chosen, or changes the one that is given.

    save() does all or nothing: what `bindings.bind` refuses stands at the field it is about.
    """

    scope = forms.ChoiceField(choices=_PLACES, initial="instance", label="For",
                              widget=forms.RadioSelect)
    instances = forms.MultipleChoiceField(required=False, label="Accounts",
                                          widget=forms.CheckboxSelectMultiple)
    provider = forms.ChoiceField(required=False,
                                 widget=forms.Select(attrs={"class": "omni-input"}))
    enabled = forms.BooleanField(required=False, initial=True, label="Switched on")
    priority = forms.IntegerField(
        required=False, min_value=0, max_value=999, help_text="Lower is asked first; empty: the "
        "document's.", widget=forms.NumberInput(attrs=_TEXT))
    version = forms.ChoiceField(required=False,
                                widget=forms.Select(attrs={"class": "omni-input"}))

    def __init__(self, data: Any = None, *, workflow: Workflow, instances: list[Instance],
                 binding: Binding | None = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.workflow, self.binding = workflow, binding
        self.by_slug = {row.slug: row for row in instances}
        self.versions: dict[str, WorkflowVersion] = {
            str(row.number): row for row in workflow.versions.defer("compiled")}
        self.fields["instances"].choices = [(row.slug, f"{row.slug} {row.name}")
                                            for row in instances]
        self.fields["provider"].choices = [("", "choose one"),
                                           *((name, name) for name in adapters())]
        self.fields["version"].choices = [("", "the newest"), *(
            (number, f"v{number}, pinned") for number in self.versions)]
        self.declared = _declared(binding and binding.version or workflow.latest())
        for name, one in self.declared.items():
            self.fields[_PREFIX + name] = _field(one)
        if binding is not None:
            for name in ("scope", "instances", "provider"):
                del self.fields[name]
            self.initial = {**_initial(binding, self.declared), **self.initial}
        elif slug := self.initial.get("instance"):
            self.initial["instances"] = [slug]

    @property
    def input_fields(self) -> list[forms.BoundField]:
        return [self[_PREFIX + name] for name in self.declared]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.binding is not None:
            return cleaned
        if cleaned.get("scope") == "instance" and not cleaned.get("instances"):
            self.add_error("instances", "Choose at least one account.")
        if cleaned.get("scope") == "provider" and not cleaned.get("provider"):
            self.add_error("provider", "Choose a provider.")
        if not self.errors:
            self._need_none_there()
        return cleaned

    def _need_none_there(self) -> None:
        """What is there already is changed on its own page, where its values are seen."""
        for place in self._places():
            if bindings.find_binding(self.workflow, **place):
                field = {"instance": "instances", "provider": "provider"}.get(place["scope"],
                                                                              "scope")
                named = place.get("instance") or place.get("provider") or "every account"
                self.add_error(field, f"There is an entry for {named} already; change that one.")

    def save(self, *, actor: str) -> list[Binding]:
        """The bindings made or changed; none, with errors at their fields, when one is refused."""
        wish = self.cleaned_data
        facts = {"enabled": wish["enabled"], "priority": wish["priority"], "inputs": self._inputs(),
                 "version": self.versions.get(wish["version"]), "actor": actor}
        try:
            with transaction.atomic():
                return [bindings.bind(self.workflow, **place, **facts) for place in self._places()]
        except InvalidInput as exc:
            for path, why in (exc.details or {"": exc.message}).items():
                self._refuse(path.removeprefix("inputs."), why)
        except OmniError as exc:
            self.add_error(None, exc.message)
        except ValidationError as exc:
            self.add_error(None, "; ".join(exc.messages))
        return []

    def _refuse(self, name: str, why: str) -> None:
        if _PREFIX + name in self.fields:
            self.add_error(_PREFIX + name, f"{why}.")
        else:
            self.add_error(None, f"{name} {why}".strip())

    def _places(self) -> list[dict[str, Any]]:
        if self.binding is not None:
            return [{"scope": self.binding.scope, "instance": self.binding.instance,
                     "provider": self.binding.provider}]
        wish = self.cleaned_data
        if wish["scope"] == "instance":
            return [{"scope": "instance", "instance": self.by_slug[slug]}
                    for slug in wish["instances"]]
        return [{"scope": "provider", "provider": wish["provider"]}
                if wish["scope"] == "provider" else {"scope": "global"}]

    def _inputs(self) -> dict[str, Any]:
        stored = self.binding.inputs if self.binding is not None else {}
        found = {}
        for name, one in self.declared.items():
            value = self.cleaned_data[_PREFIX + name]
            if name in stored and _PREFIX + name not in self.changed_data:
                found[name] = stored[name]
            elif value not in ("", None):
                is_number = one.type in _ROWS and value.isascii() and value.isdigit()
                found[name] = int(value) if is_number else value
        return found


def _declared(version: WorkflowVersion | None) -> dict[str, Input]:
    return dict(document.parse(version.text, published=True).inputs) if version else {}


def _initial(binding: Binding, declared: dict[str, Input]) -> dict[str, Any]:
    number = binding.version.number if binding.version else ""
    values = {_PREFIX + name: _shown(value, declared[name])
              for name, value in binding.inputs.items() if name in declared}
    return {"enabled": binding.enabled, "priority": binding.priority, "version": str(number),
            **values}


def _shown(value: Any, declared: Input) -> Any:
    """A stored value as its field shows it."""
    if declared.type == "boolean" or declared.choices:
        return json.dumps(value)
    return value


class _Choice(forms.TypedChoiceField):
    """A choice of JSON values, so that 1 and true stay what they are."""

    def __init__(self, choices: list[Any], default: str, **kwargs: Any) -> None:
        super().__init__(choices=[("", default), *((json.dumps(one), _word(one))
                                                   for one in choices)],
                         coerce=json.loads, empty_value=None,
                         widget=forms.Select(attrs={"class": "omni-input"}), **kwargs)


class _Json(forms.JSONField):
    """JSON to edit; nothing is shown as nothing, not as null."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(
        value)


def _field(one: Input) -> forms.Field:
    """The field of an input. Whether it is required is asked when everything is known: a wider
    binding may give it.
    """
    default = "" if one.default is None else f"default: {_word(one.default)}"
    wanted = WANTED[one.type] if one.type not in ("text", "choice", "boolean") else ""
    common = {"required": False, "label": f"{one.name}{' *' if one.required else ''}",
              "help_text": ". ".join(filter(None, (one.about.rstrip("."), wanted, default)))}
    if one.choices or one.type == "boolean":
        common["help_text"] = one.about
        return _Choice(list(one.choices) or [True, False], default or "not given here", **common)
    if one.type == "integer":
        return forms.IntegerField(**common, widget=forms.NumberInput(attrs=_TEXT))
    if one.type == "number":
        return forms.FloatField(**common, widget=forms.NumberInput(attrs={**_TEXT, "step": "any"}))
    if one.type in _AS_JSON:
        return _Json(**{**common, "help_text": f"{common['help_text']}; as JSON"},
                               widget=forms.Textarea(attrs={**_TEXT, "rows": 3, "class":
                                                            "omni-input omni-words omni-mono"}))
    rows = {"rows": 2, "class": "omni-input omni-words"} if one.type == "text" else {}
    return forms.CharField(**common, strip=one.type != "text", widget=(
        forms.Textarea if rows else forms.TextInput)(attrs={**_TEXT, **rows}))
