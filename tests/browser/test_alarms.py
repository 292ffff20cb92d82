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


def test_card_ends_when_its_row_is_put_aside(dashboard):
    for title in ("Dead letters", "Failed"):
        open_first(dashboard, title)
        dashboard.get_by_role("link", name="Put aside").click()
        dashboard.get_by_label("What was found").fill(f"a test of {title}")
        dashboard.get_by_role("button", name="Put aside").click()
        expect(dashboard.locator("body")).to_contain_text(f"by user:boss: a test of {title}")

        dashboard.goto("/admin/")
        expect(card(dashboard, title).locator("strong")).to_have_text("0")
        assert PutAside.objects.latest("pk").note == f"a test of {title}"
    assert PutAside.objects.count() == 2


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


def test_pages_of_putting_aside_fit(dashboard, keep_shot):
    faults = []
    for scheme, width in look.each_look(dashboard):
        keep_shot(f"cards-{scheme}-{width}")
    open_first(dashboard, "Dead letters")
    for scheme, width in look.each_look(dashboard):
        keep_shot(f"raw-{scheme}-{width}")
        if (pixels := look.sticks_out(dashboard)) > 0:
            faults.append(("dead letter", scheme, width, "sticks out", pixels))
    dashboard.get_by_role("link", name="Put aside").click()
    for scheme, width in look.each_look(dashboard):
        keep_shot(f"aside-{scheme}-{width}")
        faults += look.unreadable(dashboard, ("put aside", scheme, width),
                                  ".omni-panel p, .omni-panel label, .omni-panel h2")

    assert not faults, faults
