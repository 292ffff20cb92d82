"""REST: back-tests of a workflow, which are jobs of another process."""

import re
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connections.models import Instance
from connections.rest import missing
from connections.rest.authentication import principal
from registry.api.trial_serializers import (
    BacktestRequestSerializer,
    BacktestSerializer,
    ReportSerializer,
)
from registry.api.trials import text_of
from registry.models import TrialJob, Workflow
from registry.trials import elsewhere, jobs

WAIT_SECONDS, MOST_WAIT = 20, 60
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER,
    description=f"`wait=<seconds>`, 0 to {MOST_WAIT}: how long to wait for the report; "
                f"{WAIT_SECONDS} without it. Then the answer is 202 with the job. (RFC 7240)")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,9})")


class BacktestActions:
    """Routes below one workflow, for `WorkflowViewSet`; asking needs the scope `workflows`."""

    @extend_schema(request=BacktestRequestSerializer, parameters=[PREFER], responses={
        200: ReportSerializer, 202: OpenApiResponse(BacktestSerializer, "It is not done yet.")})
    @action(detail=True, methods=["post"])
    def backtest(self, request: Request, slug: str) -> Response:
        """Look at stored events: how many would have matched, and what of the others.

        The report when it is there in time; else 202 and the job, whose address is in Location.
        """
        workflow, wish, who = self.get_object(), self.body(BacktestRequestSerializer), principal(
            request)
        text, instances = text_of(workflow, wish), None
        if named := wish.pop("instance", None):
            instances = [missing.named(Instance.objects.visible_to(who), named,
                                       what="instance").pk]
        seconds = wait_of(request)
        job_id = elsewhere.ask_backtest(workflow, text, who, {**wish, "instances": instances})
        job = elsewhere.await_backtest(job_id, seconds=seconds)
        if job.is_over:
            return Response(elsewhere.result_of(job))
        return Response(BacktestSerializer(job).data, status=202, headers={
            "Location": f"/api/v1/workflows/{slug}/backtests/{job.pk}/"})

    @extend_schema(responses=BacktestSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None, scope="workflows")
    def backtests(self, request: Request, slug: str) -> Response:
        """The back-tests of the last days, newest first: all for who sees every instance, else
        one's own.
        """
        page = self.paginate_queryset(_visible(request, self.get_object()).defer("request"))
        return self.get_paginated_response(BacktestSerializer(page, many=True).data)

    @extend_schema(responses=BacktestSerializer, parameters=[
        OpenApiParameter("number", int, OpenApiParameter.PATH)])
    @action(detail=True, methods=["get"], filterset_class=None, scope="workflows",
            url_name="backtest-job", url_path=r"backtests/(?P<number>[0-9]+)")
    def backtest_job(self, request: Request, slug: str, number: str) -> Response:
        """How far a back-test is, and its report when it is done."""
        job = _job(request, self.get_object(), number)
        elsewhere.look_after(job)
        return Response(BacktestSerializer(job).data)

    @extend_schema(responses={204: None}, parameters=[
        OpenApiParameter("number", int, OpenApiParameter.PATH)])
    @backtest_job.mapping.delete
    def cancel_backtest(self, request: Request, slug: str, number: str) -> Response:
        """Cancel a back-test that is not over; delete one that is."""
        job = _job(request, self.get_object(), number)
        if not jobs.cancel(job.pk, reason=f"canceled by {principal(request).name}"):
            jobs.forget(job.pk)
        return Response(status=204)


def wait_of(request: Request) -> int:
    """Seconds the caller wants to wait; a preference that cannot be read is ignored, as RFC 7240
    has it.
    """
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(int(found[1]), MOST_WAIT) if found else WAIT_SECONDS


def _visible(request: Request, workflow: Workflow) -> Any:
    return TrialJob.objects.visible_to(principal(request)).filter(workflow=workflow.slug,
                                                                  kind="backtest")


def _job(request: Request, workflow: Workflow, number: str) -> TrialJob:
    return missing.numbered(_visible(request, workflow), int(number[:18]),
                            what=f"back-test of '{workflow.slug}' with the number")
