"""Admin: the pages on which a workflow is switched on for accounts, changed and switched off."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse

from connections.models import Instance
from connections.rest.authentication import principal
from registry.admin.binding_form import BindingForm
from registry.models import Binding, Workflow
from registry.versions import bindings

OFFERED = 8  # accounts named as links where a workflow is on nowhere


class BindingPages:
    """Part of the workflow's page: who it is on for, and the form that says so."""

    def binding_urls(self) -> list:
        view = self.admin_site.admin_view
        return [path("<int:number>/bindings/", view(self.switch_on),
                     name="registry_workflow_bindings"),
                path("<int:number>/bindings/<int:binding>/", view(self.change_binding),
                     name="registry_workflow_binding")]

    def bindings_context(self, request: HttpRequest, row: Workflow) -> dict[str, Any]:
        """bindings: those of places this person sees. is_nowhere: none of any is switched on.
        offered: accounts to switch it on for, then.
        """
        rows, who = row.bindings.select_related("instance", "version"), principal(request)
        if who.instance_ids is not None:
            rows = rows.filter(Q(instance_id__in=who.instance_ids) | Q(instance__isnull=True))
        shown = list(rows)
        is_nowhere = bool(row.latest_no) and not row.bindings.filter(enabled=True).exists()
        return {"bindings": shown, "is_nowhere": is_nowhere,
                "offered": self._instances(request)[:OFFERED] if is_nowhere else []}

    def switch_on(self, request: HttpRequest, number: int) -> HttpResponse:
        """Switch a workflow on for accounts; `?instance=<slug>` proposes one."""
        workflow, instances = self._workflow(request, number), self._instances(request)
        wished = next((row for row in instances if row.slug == request.GET.get("instance")), None)
        there = wished and bindings.find_binding(workflow, scope="instance", instance=wished)
        if there and request.method != "POST":
            return HttpResponseRedirect(reverse("admin:registry_workflow_binding",
                                                args=[workflow.pk, there.pk]))
        form = BindingForm(request.POST or None, workflow=workflow, instances=instances,
                           initial={"instance": request.GET.get("instance")})
        return self._answer(request, workflow, form, title=f"Switch on {workflow.slug} for…")

    def change_binding(self, request: HttpRequest, number: int, binding: int) -> HttpResponse:
        """Change what holds in one place, or end it there."""
        workflow = self._workflow(request, number)
        row = get_object_or_404(Binding.objects.select_related("instance", "version", "workflow"),
                                pk=binding, workflow=workflow)
        if "_end" in request.POST:
            bindings.unbind(row, actor=principal(request).name)
            messages.success(request, f"{workflow.slug}: {place(row)} is as wider places say now.")
            return _back(workflow)
        form = BindingForm(request.POST or None, workflow=workflow, binding=row, instances=[])
        return self._answer(request, workflow, form, binding=row,
                            title=f"{workflow.slug} for {place(row)}")

    def _answer(self, request: HttpRequest, workflow: Workflow, form: BindingForm,
                **context: Any) -> HttpResponse:
        if request.method == "POST" and form.is_valid():
            saved = form.save(actor=principal(request).name)
            if saved:
                messages.success(request, "; ".join(
                    f"{workflow.slug} is {'on' if row.enabled else 'off'} for {place(row)}"
                    for row in saved) + ".")
                return _back(workflow)
        return TemplateResponse(request, "registry/admin/binding.html", {
            **self.admin_site.each_context(request), "opts": self.model._meta, "form": form,
            "original": workflow, **context})

    def _workflow(self, request: HttpRequest, number: int) -> Workflow:
        row = get_object_or_404(Workflow, pk=number)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def _instances(self, request: HttpRequest) -> list[Instance]:
        return list(Instance.objects.visible_to(principal(request)).active().order_by("slug")
                    .only("slug", "name", "provider"))


def place(binding: Binding) -> str:
    """Where a binding holds, in words."""
    if binding.instance is not None:
        return binding.instance.slug
    return f"every account of {binding.provider}" if binding.provider else "every account"


def _back(workflow: Workflow) -> HttpResponse:
    return HttpResponseRedirect(
        reverse("admin:registry_workflow_change", args=[workflow.pk]) + "#omni-bindings")
