"""Admin: a workflow's draft tried on an event, with everything it would do."""

import json
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path

from connections.rest.authentication import principal
from omni.admin.pages import pretty
from omni.errors import InvalidWorkflow, OmniError
from registry.language import fixtures
from registry.models import Workflow
from registry.trials import elsewhere
from registry.trials.trial import Trial

VALUES_SHOWN = 500


class TrialForm(forms.Form):
    """What is tried: a stored event's id, or a fixture."""

    event = forms.CharField(max_length=80, help_text="The id of a stored event, or a fixture like "
                                                     "message.text", widget=forms.TextInput(
        attrs={"class": "omni-input", "list": "fixtures", "autocomplete": "off"}))
    anyway = forms.BooleanField(required=False, label="Also when it would not match")
    ask = forms.BooleanField(required=False, label="Let decide steps ask")

    def example(self) -> int | str:
        word = self.cleaned_data["event"].strip()
        return int(word[:19]) if word.isascii() and word.isdigit() else word


class TrialPage:
    """The page "Try" of a workflow; POST runs the trial."""

    def trial_urls(self) -> list:
        return [path("<int:number>/try/", self.admin_site.admin_view(self.try_draft),
                     name="registry_workflow_try")]

    def try_draft(self, request: HttpRequest, number: int) -> HttpResponse:
        """Try the draft; people without the scope `workflows` are refused."""
        if not principal(request).may("workflows"):
            raise PermissionDenied
        workflow = get_object_or_404(Workflow, pk=number)
        form = TrialForm(request.POST or None)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request), "title": f"Try {workflow.slug}",
            "opts": self.model._meta, "original": workflow, "form": form,
            "fixtures": fixtures.NAMES}
        if request.method == "POST" and form.is_valid():
            context.update(self._tried(request, workflow, form))
        return TemplateResponse(request, "registry/admin/trial.html", context)

    def _tried(self, request: HttpRequest, workflow: Workflow, form: TrialForm) -> dict[str, Any]:
        who = principal(request)
        try:
            found = elsewhere.try_event(
                workflow, workflow.draft, form.example(), who, anyway=form.cleaned_data["anyway"],
                ask=form.cleaned_data["ask"])
        except InvalidWorkflow as exc:
            return {"problems": exc.problems}
        except OmniError as exc:
            form.add_error(None, exc.message)
            return {}
        if found is None:
            form.add_error("event", "There is no such event.")
            return {}
        return shown(found)


def shown(found: Trial) -> dict[str, Any]:
    """A trial for the template."""
    facts = found.as_dict()
    for step in facts["path"]:
        for name in ("input", "output"):
            step[name] = pretty(step[name], title=name, is_open=False) if step[name] else ""
    for one in facts["expressions"]:
        one["value"] = json.dumps(one["value"], ensure_ascii=False)
    return {"trial": facts, "sends": [(sent, pretty(sent, title="all of it", is_open=False))
                                      for sent in facts["sends"]],
            "waits_for": pretty(facts["waits_for"]), "gates": pretty(facts["gates"]),
            "values": facts["expressions"][:VALUES_SHOWN],
            "more_values": max(len(facts["expressions"]) - VALUES_SHOWN, 0)}
