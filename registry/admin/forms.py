"""Forms of the workflow pages: the editor's text, and documents to import."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from omni.errors import InvalidWorkflow
from omni.yaml import profile
from registry.models import Workflow
from registry.versions import drafts

NEW_TEXT = """\
omni: 1
id: my-workflow
name: My workflow
description: What it is for.
claim: reply
trigger:
  - event: message.text
    where: event.direction == 'inbound' and event.text == 'ping'
steps:
  - uses: route.reply
    with:
      text: pong
"""
_EDITOR = {"class": "omni-yaml", "rows": 32, "spellcheck": "false", "wrap": "off",
           "autocomplete": "off", "autocapitalize": "off", "aria-label": "Workflow, YAML"}


class WorkflowForm(forms.ModelForm):
    """The draft of a workflow. Problems are allowed in it; a readable id is not optional.

    problems: what is wrong with the text that was posted (`cleaned_draft`). stored: the text
    somebody else saved since this page was loaded, "" when nobody did.
    """

    draft = forms.CharField(widget=forms.Textarea(attrs=_EDITOR), strip=False, label="Document")
    base_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Workflow
        fields = ["draft"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.problems: list[profile.Problem] = []
        self.stored = self.cleaned_draft = ""
        if "draft" not in self.fields:
            return
        if self.instance.pk:
            self.initial["base_revision"] = self.instance.revision
        else:
            self.initial.setdefault("draft", NEW_TEXT)

    def clean_draft(self) -> str:
        text = self.cleaned_draft = self.cleaned_data["draft"].replace("\r\n", "\n")
        self.problems = drafts.problems(text)
        try:
            data = profile.load(text).data
        except InvalidWorkflow as exc:
            self.problems = exc.problems
            raise ValidationError("This is not readable YAML, so it cannot be stored.") from None
        slug = data.get("id") if isinstance(data, dict) else None
        if self.instance.pk and slug != self.instance.slug:
            raise ValidationError(f"The id must stay '{self.instance.slug}', not '{slug}'; "
                                  "import the text to make another workflow.")
        if not self.instance.pk and Workflow.objects.filter(slug=str(slug)).exists():
            raise ValidationError(f"There is a workflow '{slug}' already; edit that one.")
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.instance.pk or "draft" not in self.fields:
            return cleaned
        now = Workflow.objects.values("revision", "draft").get(pk=self.instance.pk)
        if cleaned.get("base_revision") != now["revision"]:
            self.stored = now["draft"]
            raise ValidationError(
                f"Somebody else saved this workflow: it is at revision {now['revision']}, you "
                f"edited {cleaned.get('base_revision')}. Both texts are on this page; take over "
                "what you need and save again.", code="stale")
        return cleaned

    def take_stored_revision(self) -> None:
        """After a stale save the next one is meant, so it starts from what is stored now."""
        revision = Workflow.objects.values_list("revision", flat=True).get(pk=self.instance.pk)
        self.data = self.data.copy()
        self.data["base_revision"] = str(revision)


class ImportForm(forms.Form):
    """One or several documents, separated by `---`."""

    text = forms.CharField(widget=UnfoldAdminTextareaWidget(attrs={
        "class": "omni-mono", "rows": 20, "spellcheck": "false"}), required=False, strip=False,
        label="Paste YAML")
    file = forms.FileField(widget=UnfoldAdminFileFieldWidget, required=False,
                           label="or choose a file", help_text="At most 1 MB.")
    publish = forms.BooleanField(widget=UnfoldBooleanSwitchWidget, required=False, initial=True,
                                 help_text="Off: store drafts only.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        upload = cleaned.get("file")
        if upload is not None and upload.size > 1_000_000:
            raise ValidationError({"file": "The file is larger than 1 MB."})
        if upload is not None:
            try:
                cleaned["text"] = upload.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise ValidationError({"file": "The file is no UTF-8 text."}) from None
        if not (cleaned.get("text") or "").strip():
            raise ValidationError("Paste a document or choose a file.")
        return cleaned
