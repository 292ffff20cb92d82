"""Pausing a workflow, letting it drain, and letting it go on."""

import pytest

from events.models import Event
from omni.audit import AuditEntry
from omni.errors import InvalidInput
from registry.engine.route import routing
from registry.engine.work import chores, modes, queue
from registry.models import RoutingDecision, Run
from tests.api_client import client_of, post_json
from tests.factories import make_event, make_instance, switch_on
from tests.registry.runs import work

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: slow
claim: reply
trigger: [{event: message.text}]
steps: [{wait: 1h}, {stop: done}]
"""


@pytest.fixture
def slow():
    return switch_on(TEXT)


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    return django_capture_on_commit_callbacks


def come() -> Event:
    instance = Event.objects.first().instance if Event.objects.exists() else make_instance()
    return make_event(instance, routed_at=None)


def states():
    return list(Run.objects.order_by("id").values_list("state", flat=True))


def test_paused_workflow_opens_runs_and_begins_none(slow):
    come()
    modes.set_mode(slow, "paused", actor="user:ana")

    work()

    assert states() == ["blocked"]


@pytest.mark.parametrize("deaths", [0, 2])
def test_run_that_is_queued_when_its_workflow_is_paused_is_put_in_line(slow, deaths, committed):
    come()
    routing.route()
    Run.objects.update(deaths=deaths)

    with committed(execute=True):
        modes.set_mode(slow, "paused", actor="user:ana")

    assert states() == ["blocked"] and not chores.look().ready


@pytest.mark.parametrize("alone", [False, True])
def test_claim_puts_runs_in_line_that_a_dying_process_left_queued(slow, alone):
    come()
    routing.route()
    Run.objects.update(deaths=2 if alone else 0)
    type(slow).objects.update(mode="paused")

    assert queue.claim("w1", limit=2, alone=alone) == [] and states() == ["blocked"]


def test_resumed_workflow_goes_on_with_what_stood_in_line(slow, committed):
    modes.set_mode(slow, "paused", actor="user:ana")
    come()
    work()

    with committed(execute=True):
        counts = modes.set_mode(slow, "on", actor="user:ana")
    work()

    assert counts == {"queued": 0, "blocked": 1, "running": 0, "waiting": 0}
    assert states() == ["waiting"]


def test_run_that_wakes_while_paused_stays_in_line(slow, clock):
    come()
    work()
    modes.set_mode(slow, "paused", actor="user:ana")
    clock.forward(hours=2)

    work()

    assert states() == ["blocked"]


def test_draining_workflow_opens_no_runs_and_ends_its_own(slow, clock):
    come()
    work()
    modes.set_mode(slow, "draining", actor="user:ana")
    late = come()
    clock.forward(hours=2)

    work()

    assert states() == ["done"]
    [verdict] = RoutingDecision.objects.get(event=late).considered
    assert (verdict["result"], verdict["clause"]) == (
        "draining", "the workflow is draining: no new runs")


def test_claim_of_a_draining_workflow_is_free(slow):
    other = switch_on(TEXT.replace("id: slow", "id: other\npriority: 900"))
    modes.set_mode(slow, "draining", actor="user:ana")
    come()

    routing.route()

    assert Run.objects.get().workflow == other


def test_mode_is_audited_once_and_raises_the_revision(slow):
    before = slow.revision
    for _ in range(2):
        modes.set_mode(slow, "paused", actor="user:ana")

    assert slow.revision == before + 1
    assert AuditEntry.objects.filter(action="workflow.paused").count() == 1


def test_mode_that_is_none_is_refused(slow):
    with pytest.raises(InvalidInput, match="one of on, paused, draining, not 'off'"):
        modes.set_mode(slow, "off", actor="user:ana")


@pytest.mark.parametrize(("verb", "mode"), [
    ("pause", "paused"), ("drain", "draining"), ("resume", "on")])
def test_verbs_of_the_api(slow, verb, mode):
    answer = post_json(client_of("workflows"), f"/api/v1/workflows/slow/{verb}/")

    assert (answer.status_code, answer.json()["mode"]) == (200, mode)
