"""REST: what this installation can do, read from the code: actions and providers."""

import inspect
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from actions import library as actions
from actions.base import Action
from connections import library as providers
from connections.adapter import Adapter
from omni.errors import UnknownAction, UnknownProvider

KINDS = ("guard", "transform", "route", "validate", "persist", "meta", "workflow", "custom")


class ActionSerializer(serializers.Serializer):
    """A declared action. params, output: JSON Schema. timeout: seconds."""

    id = serializers.CharField()
    kind = serializers.CharField()
    summary = serializers.CharField()
    help = serializers.CharField(help_text="The whole description.")
    effects = serializers.CharField(help_text="none, read, write or send.")
    timeout = serializers.FloatField()
    idempotent = serializers.BooleanField()
    version = serializers.IntegerField()
    secret = serializers.ListField(child=serializers.CharField(),
                                   help_text="Parameters that may refer to stored secrets.")
    params = serializers.DictField()
    output = serializers.DictField()


class ActionsSerializer(serializers.Serializer):
    results = ActionSerializer(many=True)


class ProviderSerializer(serializers.Serializer):
    """A provider. settings, credentials: JSON Schema of what an instance takes."""

    name = serializers.CharField()
    title = serializers.CharField()
    normalizer = serializers.CharField()
    capabilities = serializers.ListField(child=serializers.CharField(),
                                         help_text="Kinds of messages it can send.")
    settings = serializers.DictField()
    credentials = serializers.DictField()


class ProvidersSerializer(serializers.Serializer):
    results = ProviderSerializer(many=True)


class ActionListView(APIView):
    """Every action of the library, by id."""

    @extend_schema(operation_id="catalog_actions_list", responses=ActionsSerializer, parameters=[
        OpenApiParameter("kind", str, enum=KINDS)])
    def get(self, request: Request) -> Response:
        kind = _query(request, "kind").get("kind")
        if kind is not None and kind not in KINDS:
            raise ValidationError({"kind": f"one of {', '.join(KINDS)}"})
        return Response({"results": [action_data(action) for action in actions.actions().values()
                                     if kind in (None, action.kind)]})


class ActionView(APIView):
    """One action, with the schema of its parameters."""

    @extend_schema(operation_id="catalog_actions_retrieve", responses=ActionSerializer)
    def get(self, request: Request, id: str) -> Response:
        try:
            return Response(action_data(actions.get(id)))
        except UnknownAction as exc:
            raise NotFound(exc.message) from exc


class ProviderListView(APIView):
    """Every provider an instance can be made of."""

    @extend_schema(operation_id="catalog_providers_list", responses=ProvidersSerializer)
    def get(self, request: Request) -> Response:
        _query(request)
        return Response({"results": [provider_data(adapter)
                                     for adapter in providers.adapters().values()]})


class ProviderView(APIView):
    """One provider, with the schemas of its settings and credentials."""

    @extend_schema(operation_id="catalog_providers_retrieve", responses=ProviderSerializer)
    def get(self, request: Request, name: str) -> Response:
        try:
            return Response(provider_data(providers.get(name)))
        except UnknownProvider as exc:
            raise NotFound(exc.message) from exc


def action_data(action: Action) -> dict[str, Any]:
    return {
        "id": action.id, "kind": action.kind, "summary": action.summary,
        "help": inspect.cleandoc(action.function.__doc__ or ""), "effects": action.effects,
        "timeout": action.timeout, "idempotent": action.idempotent, "version": action.version,
        "secret": sorted(action.secret), "params": action.params.model_json_schema(),
        "output": action.output.model_json_schema()}


def provider_data(adapter: Adapter) -> dict[str, Any]:
    return {
        "name": adapter.name, "title": adapter.title, "normalizer": adapter.normalizer,
        "capabilities": sorted(adapter.capabilities),
        "settings": adapter.Settings.model_json_schema(),
        "credentials": adapter.Credentials.model_json_schema()}


def _query(request: Request, *known: str) -> dict[str, str]:
    """The query parameters. Raises ValidationError that names the unknown ones."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, "unknown filter"))
    return request.query_params.dict()
