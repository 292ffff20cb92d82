"""REST: pause, drain and resume a workflow."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from registry.engine.work import modes
from registry.models import Workflow


class ModeSerializer(serializers.Serializer):
    """mode: on, paused or draining. The numbers are runs that have not ended."""

    mode = serializers.CharField()
    queued = serializers.IntegerField()
    blocked = serializers.IntegerField()
    running = serializers.IntegerField()
    waiting = serializers.IntegerField()


class ModeVerbs:
    """Part of the view of workflows."""

    @extend_schema(request=None, responses=ModeSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, slug: str) -> Response:
        """Hold its runs: new ones stand in line, one at work finishes its turn."""
        return self._set("pause")

    @extend_schema(request=None, responses=ModeSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, slug: str) -> Response:
        """Open no new runs; live ones go on to their end."""
        return self._set("drain")

    @extend_schema(request=None, responses=ModeSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, slug: str) -> Response:
        """Let it go on after a pause or a drain."""
        return self._set("resume")

    def _set(self, name: str) -> Response:
        workflow: Workflow = self.get_object()  # type: ignore[attr-defined]
        counts = modes.set_mode(workflow, modes.VERBS[name],
                                actor=self.writer())  # type: ignore[attr-defined]
        return Response({"mode": workflow.mode, **counts})
