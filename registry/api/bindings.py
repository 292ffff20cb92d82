"""REST: where workflows are switched on."""

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from connections.access import Principal
from connections.models import Instance
from connections.rest import missing
from connections.rest.authentication import principal
from connections.rest.views import INSTANCE_UNREAD, need_every_instance
from omni.api import StrictFiltersMixin
from registry.api.binding_serializers import BindingRequestSerializer, BindingSerializer
from registry.api.filters import BindingFilter
from registry.api.stale_answers import STALE, StaleAnswers
from registry.models import Binding, Workflow
from registry.versions import bindings, drafts


class BindingViewSet(StaleAnswers, StrictFiltersMixin, mixins.ListModelMixin,
                     mixins.RetrieveModelMixin, mixins.DestroyModelMixin,
                     viewsets.GenericViewSet):
    """Where workflows are switched on. The narrowest scope decides, key by key."""

    queryset = Binding.objects.select_related("workflow", "instance", "version").defer(
        *INSTANCE_UNREAD, "workflow__draft", "version__text", "version__compiled")
    serializer_class = BindingSerializer
    filterset_class = BindingFilter
    scope, write_scope = "read", "workflows"

    def get_queryset(self) -> QuerySet[Binding]:
        rows, who = super().get_queryset(), principal(self.request)
        if who.instance_ids is None:
            return rows
        return rows.filter(~Q(scope="instance") | Q(instance_id__in=who.instance_ids))

    @extend_schema(request=BindingRequestSerializer, responses={200: BindingSerializer, **STALE})
    def put(self, request: Request) -> Response:
        """Say how a workflow is switched on in one scope; what is left out stays as it was.

        409 with code `stale` when `base_revision` is not the revision of what is there.
        """
        wish = BindingRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        facts, who = wish.validated_data, principal(request)
        place = _place(facts.pop("scope"), who)
        workflow = missing.named(Workflow.objects.all(), facts.pop("workflow"), what="workflow")
        if number := facts.get("version"):
            facts["version"] = workflow.versions.filter(number=number).first()
            if facts["version"] is None:
                raise ValidationError({"version": f"'{workflow.slug}' has no version {number}"})
        base = facts.pop("base_revision", None)
        with transaction.atomic():
            if base is not None:
                _need_revision(bindings.lock_binding(workflow, **place), base, request.data)
            binding = bindings.bind(workflow, **place, **facts, actor=who.name)
        return Response(BindingSerializer(self.get_queryset().get(pk=binding.pk)).data)

    def perform_destroy(self, binding: Binding) -> None:
        """Wider bindings decide from now on; without any the workflow is off there."""
        who = principal(self.request)
        if binding.scope != "instance":
            need_every_instance(who)
        bindings.unbind(binding, actor=who.name)


def _need_revision(stored: Binding | None, base_revision: int, yours: dict[str, Any]) -> None:
    revision = stored.revision if stored is not None else 0
    if revision == base_revision:
        return
    raise drafts.Stale(
        f"the binding is at revision {revision}, you edited {base_revision}; load it again"
        if stored else f"there is no such binding any more; you edited {base_revision}",
        stored=stored and BindingSerializer(stored).data, yours=yours)


def _place(scope: dict[str, Any], who: Principal) -> dict[str, Any]:
    """Arguments of `bindings.bind`. An instance the caller cannot see does not exist (404)."""
    if "instance" in scope:
        instance = missing.named(Instance.objects.visible_to(who), scope["instance"],
                                 what="instance")
        return {"scope": "instance", "instance": instance}
    need_every_instance(who)
    if "provider" in scope:
        return {"scope": "provider", "provider": scope["provider"]}
    return {"scope": "global"}
