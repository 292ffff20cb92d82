"""Switching a workflow on in a real browser."""

import pytest
from playwright.sync_api import expect

from registry.models import Binding
from tests.browser import look
from tests.factories import make_instance, make_workflow
from tests.registry.admin.test_bindings import WITH_INPUTS

pytestmark = pytest.mark.browser


@pytest.fixture
def panel(boss):
    """The workflow's page, where it is on nowhere, beside several accounts."""
    for slug, name in (("demo-orders", "Orders of the shop"), ("shop", "Flowers"), ("desk", "Desk"),
                       ("chat", "Chat"), ("night", "Night"), ("workshop", "Repairs")):
        make_instance(slug, name=name)
    boss.goto(f"/admin/registry/workflow/{make_workflow(WITH_INPUTS).pk}/change/")
    return boss


def test_on_nowhere_is_said_and_leads_to_switching_on(panel):
    expect(panel.locator("#omni-bindings")).to_contain_text("It is on nowhere.")
    panel.locator("#omni-bindings").get_by_role("link", name="shop", exact=True).click()
    panel.get_by_label("hours").fill("nine to five")
    panel.get_by_role("button", name="Switch on").click()

    expect(panel.locator("#omni-bindings tbody")).to_contain_text("shop")
    assert Binding.objects.get().inputs == {"hours": "nine to five"}


def test_search_chooses_nothing_and_a_wrong_entry_keeps_what_was_typed(panel):
    panel.get_by_role("link", name="Switch on for").click()
    find = panel.get_by_label("Find by slug or name")
    find.fill("shop")
    shown = panel.locator(".omni-choices label:visible")
    expect(shown).to_have_text(["shop Flowers", "workshop Repairs",
                                "demo-orders Orders of the shop"])
    find.press("Enter")
    expect(panel.locator(".omni-choices input:checked")).to_have_count(0)
    assert not Binding.objects.exists()

    find.fill("")
    panel.get_by_label("shop Flowers", exact=True).check()
    panel.get_by_label("most").fill("7")
    panel.get_by_role("button", name="Switch on").click()

    expect(panel.locator(".omni-field", has=panel.get_by_label("hours"))).to_contain_text(
        "is required")
    expect(panel.get_by_label("most")).to_have_value("7")
    expect(panel.get_by_label("shop Flowers", exact=True)).to_be_checked()
    expect(panel.locator("body")).not_to_contain_text("was changed successfully")
    assert not Binding.objects.exists()


def test_form_fits_and_its_errors_are_readable(panel, keep_shot):
    panel.get_by_role("link", name="Switch on for").click()
    panel.get_by_role("button", name="Switch on").click()
    faults = []
    for scheme, width in look.each_look(panel):
        expect(panel.locator(".errorlist").first).to_be_visible()
        keep_shot(f"binding-{scheme}-{width}")
        faults += look.unreadable(panel, (scheme, width),
                                  ".errorlist, .omni-quiet, label, legend")

    assert not faults, faults
