"""Pages of the admin that show our own tables: as high and as readable in dark as in light."""

import pytest
from django.urls import reverse

from events.models import EventAction
from registry.versions import bindings, drafts
from tests.admin_world import WORKFLOW, make_surroundings, make_world
from tests.browser import look

pytestmark = pytest.mark.browser
CHIPS = ".omni-tag, .omni-diff span, .omni-diff td, .omni-problem"


@pytest.fixture
def pages(boss):
    """Address of each page, in a world with a long document and every kind of chip."""
    world = make_world()
    make_surroundings()
    for number, status in enumerate(("done", "skipped", "waiting", "running", "canceled")):
        EventAction.objects.create(
            instance=world.instance, event=world.event, run_id=world.run.pk, workflow="greeter",
            path=f"steps[{number + 1}]", step_id=status, step_kind="uses", status=status,
            action="guard.debounce", started_at=world.event.received_at, duration_ms=3,
            ended_at=world.event.received_at, output={"text": "a longer text of the step"})
    bindings.bind(world.workflow, scope="global", actor="test")
    drafts.save_draft(WORKFLOW.replace("stop: done", "stop: failed") + "x: 1\n", actor="test")
    version = world.workflow.latest()
    return {"dashboard": reverse("admin:index"),
            **{name: reverse(f"admin:{page}_change", args=[row.pk]) for name, page, row in (
                ("event", "events_event", world.event), ("run", "registry_run", world.run),
                ("workflow", "registry_workflow", world.workflow),
                ("version", "registry_workflowversion", version),
                ("approval", "registry_approval", world.run.approvals.get()))},
            "compare": reverse("admin:registry_workflowversion_compare", args=[version.pk])}


def test_pages_are_as_high_and_as_readable_in_dark_as_in_light_and_fit_a_phone(boss, pages,
                                                                               keep_shot):
    faults, heights = [], {}
    for name, address in pages.items():
        boss.goto(address)
        for row in ((name, *found) for found in look.each_look(boss)):
            keep_shot("-".join(map(str, row)))
            faults += look.unreadable(boss, row, CHIPS)
            if look.is_dark(boss) != ("dark" in row):
                faults.append((row, "has the other theme"))
            heights[row] = look.height(boss)
    for name, scheme, width in heights:
        light, high = heights[name, "light", width], heights[name, scheme, width]
        if abs(high - light) > 40:
            faults.append(((name, scheme, width), "is", high, "high, in light", light))

    assert not faults, faults
