"""How a workflow did lately."""

from datetime import timedelta

from django.db.models import Count
from pydantic import BaseModel, Field

from actions.base import Context, Outcome, Output, Params, action, done, failed
from events.models import Event
from registry.engine.work import queue
from registry.language.durations import seconds
from registry.models import Run, Workflow

BAD = ("failed", "dead")


class Expected(BaseModel):
    """What counts as well."""

    min_runs: int | None = Field(None, ge=0, description="At least so many runs.")
    max_failed: int | None = Field(None, ge=0, description="At most so many failed or dead.")
    max_failed_share: float | None = Field(None, ge=0, le=1, description="At most this share.")
    max_waiting: int | None = Field(
        None, ge=0, description="At most so many queued, in line or waiting.")


class MonitorParams(Params):
    workflow: str = Field("", description="Id of the workflow; empty: this one.")
    since: str = Field("1h", description="How far back, like 24h.")
    expect: Expected | None = Field(None, description="What counts as well; without: only count.")


class MonitorOutput(Output):
    ok: bool = Field(True, description="Whether everything is as expected.")
    runs: int = Field(0, description="Runs in this time, of this instance.")
    counts: dict[str, int] = Field({}, description="Runs by state.")
    reasons: list[str] = Field([], description="What is not as expected.")


@action("workflow.monitor", params=MonitorParams, output=MonitorOutput, effects="read",
        timeout=15.0)
def monitor(event: Event, params: MonitorParams, context: Context) -> Outcome:
    """Count a workflow's runs of late, and say whether they are as expected."""
    slug = params.workflow or context.workflow
    if not Workflow.objects.filter(slug=slug).exists():
        return failed(f"there is no workflow '{slug}'", code="invalid")
    since = queue.now() - timedelta(seconds=seconds(params.since))
    counts = dict(Run.objects.filter(
        workflow__slug=slug, instance=context.instance, created_at__gte=since).exclude(
            pk=context.run_id).order_by().values_list("state").annotate(Count("pk")))
    reasons = _reasons(counts, params.expect or Expected())
    return done(ok=not reasons, runs=sum(counts.values()), counts=counts, reasons=reasons)


def _reasons(counts: dict[str, int], expect: Expected) -> list[str]:
    runs, bad = sum(counts.values()), sum(counts.get(state, 0) for state in BAD)
    open_ones = sum(counts.get(state, 0) for state in ("queued", "blocked", "waiting"))
    found = []
    if expect.min_runs is not None and runs < expect.min_runs:
        found.append(f"{runs} runs, at least {expect.min_runs} are expected")
    if expect.max_failed is not None and bad > expect.max_failed:
        found.append(f"{bad} failed, at most {expect.max_failed} are expected")
    if expect.max_failed_share is not None and runs and bad / runs > expect.max_failed_share:
        found.append(f"{bad / runs:.0%} failed, at most {expect.max_failed_share:.0%} are expected")
    if expect.max_waiting is not None and open_ones > expect.max_waiting:
        found.append(f"{open_ones} wait, at most {expect.max_waiting} are expected")
    return found
