"""Pages of the admin that show our own tables: as high and as readable in dark as in light."""

import pytest
from django.urls import reverse

from events.models import EventAction
from registry import store
from tests.admin_world import WORKFLOW, make_surroundings, make_world
from tests.browser import look

pytestmark = pytest.mark.browser
PAGES = ("dashboard", "event", "run", "workflow", "compare", "version", "approval")
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
    store.bind(world.workflow, scope="global", actor="test")
    store.save_draft(WORKFLOW.replace("stop: done", "stop: failed") + "x: 1\n", actor="test")
    version = world.workflow.latest()
    return {"dashboard": reverse("admin:index"),
            **{name: reverse(f"admin:{page}_change", args=[row.pk]) for name, page, row in (
                ("event", "events_event", world.event), ("run", "registry_run", world.run),
                ("workflow", "registry_workflow", world.workflow),
                ("version", "registry_workflowversion", version),
                ("approval", "registry_approval", world.run.approvals.get()))},
            "compare": reverse("admin:registry_workflowversion_compare", args=[version.pk])}


@pytest.fixture
def look_at(boss, pages, keep_shot):
    def look_at(name, *, scheme, width=1280):
        boss.emulate_media(color_scheme=scheme)
        boss.set_viewport_size({"width": width, "height": 820})
        boss.goto(pages[name])
        keep_shot(f"{name}-{scheme}-{width}")
    return look_at


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_page_is_as_high_in_dark_as_in_light(boss, look_at, name, width):
    look_at(name, scheme="light", width=width)
    light = look.height(boss)
    look_at(name, scheme="dark", width=width)

    assert boss.evaluate("document.documentElement.classList.contains('dark')")
    assert light - 40 <= look.height(boss) <= light + 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_chips_and_differences_are_readable(boss, look_at, name, scheme):
    look_at(name, scheme=scheme)

    assert look.contrasts(boss, CHIPS)
    assert look.hard_to_read(boss, CHIPS) == []


@pytest.mark.parametrize("name", PAGES)
def test_page_does_not_stick_out_on_a_phone(boss, look_at, name):
    look_at(name, scheme="light", width=390)

    assert look.sticks_out(boss) <= 0
