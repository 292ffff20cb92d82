"""The cards that wait for a person, made to end by clicking."""

import pytest
from playwright.sync_api import expect

from events.models import PutAside
from tests.admin_world import make_outbox, make_world
from tests.browser import look
from tests.factories import make_instance

pytestmark = pytest.mark.browser


@pytest.fixture
def dashboard(boss):
    make_world()
    make_outbox(make_instance("desk", "webchat", credentials={"secret": "a long random text"}),
                recipient="v_" + "a" * 22)
    boss.goto("/admin/")
    return boss


def card(page, title):
    return page.locator(".omni-card", has_text=title)


def open_first(page, title):
    card(page, title).click()
    page.locator("#result_list tbody tr").first.get_by_role("link").first.click()


@pytest.mark.parametrize("title", ["Dead letters", "Failed"])
def test_card_ends_when_its_row_is_put_aside(dashboard, title):
    open_first(dashboard, title)
    dashboard.get_by_role("link", name="Put aside").click()
    dashboard.get_by_label("What was found").fill("a test")
    dashboard.get_by_role("button", name="Put aside").click()
    expect(dashboard.locator("body")).to_contain_text("by user:boss: a test")

    dashboard.goto("/admin/")
    expect(card(dashboard, title).locator("strong")).to_have_text("0")
    assert PutAside.objects.get().note == "a test"


def test_chosen_failures_are_put_aside_together(dashboard):
    card(dashboard, "Failed").click()
    dashboard.locator("#result_list tbody input[type=checkbox]").first.check()
    dashboard.locator("select[name=action]").select_option("put_chosen_aside")
    dashboard.get_by_role("button", name="Run", exact=True).click()
    dashboard.get_by_label("What was found").fill("all of one night")
    dashboard.get_by_role("button", name="Put aside").click()

    expect(dashboard.locator("body")).to_contain_text("1 put aside.")


def test_card_of_unknown_sends_goes_down_by_sending_again(dashboard):
    expect(card(dashboard, "Unknown sends").locator("strong")).to_have_text("2")
    open_first(dashboard, "Unknown sends")
    dashboard.get_by_role("link", name="Send again").click()
    dashboard.get_by_role("button", name="Send again").click()
    expect(dashboard.locator("body")).to_contain_text("Sent again: succeeded")

    dashboard.goto("/admin/")
    expect(card(dashboard, "Unknown sends").locator("strong")).to_have_text("1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_of_putting_aside_fit(dashboard, scheme, width, keep_shot):
    dashboard.emulate_media(color_scheme=scheme)
    dashboard.set_viewport_size({"width": width, "height": 820})
    dashboard.reload()
    keep_shot(f"cards-{scheme}-{width}")
    open_first(dashboard, "Dead letters")
    keep_shot(f"raw-{scheme}-{width}")
    assert look.sticks_out(dashboard) <= 0
    dashboard.get_by_role("link", name="Put aside").click()
    keep_shot(f"aside-{scheme}-{width}")

    assert look.sticks_out(dashboard) <= 0
    assert look.hard_to_read(dashboard, ".omni-panel p, .omni-panel label, .omni-panel h2") == []
