"""The workflow's page in a real browser: from a changed text to a published version."""

import pytest
from playwright.sync_api import expect

from registry.versions import publishing, seed
from tests.browser import look

pytestmark = pytest.mark.browser


@pytest.fixture
def reply(boss):
    text = (seed.PLAYBOOKS / "text-reply.yaml").read_text()
    return publishing.publish_text(text, actor="test", skip_tests=True).workflow


@pytest.fixture
def refused(boss, reply):
    """The page after one text of the shipped playbook was changed and publishing was refused."""
    boss.goto(f"/admin/registry/workflow/{reply.pk}/change/")
    text = reply.draft.replace("text: ${{ steps.agent", "text: Bye. ${{ steps.agent")
    boss.locator("textarea.omni-yaml").fill(text)
    boss.get_by_role("button", name="Save and publish").click()
    expect(boss.locator("#omni-tests")).to_contain_text("1 of 4 failed")
    return boss


def test_failing_test_shows_what_came_beside_what_was_expected_and_its_line(refused, keep_shot):
    row = refused.locator("#omni-tests tr", has_text="sends")
    expect(row.locator(".omni-removed")).to_contain_text("Hello Ana!")
    expect(row.locator(".omni-added")).to_contain_text("Bye. Hello Ana!")

    refused.locator("#omni-problems .omni-problem", has_text="expected 'Hello Ana!'").click()

    before = refused.locator("textarea.omni-yaml").evaluate(
        "(area) => area.value.slice(0, area.selectionStart).split('\\n').pop()")
    assert before.lstrip().startswith("sends: [{to:")
    faults = []
    for scheme, width in look.each_look(refused):
        keep_shot(f"tests-{scheme}-{width}")
        faults += look.unreadable(refused, (scheme, width),
                                  "#omni-tests .omni-tag, #omni-tests td, .omni-problem")
    assert not faults, faults


def test_mended_expectation_publishes(refused, reply):
    area = refused.locator("textarea.omni-yaml")
    area.fill(area.input_value().replace(", text: Hello Ana!}]", ", text: Bye. Hello Ana!}]"))
    refused.get_by_role("button", name="Save draft and run tests").click()
    expect(refused.locator("#omni-tests")).to_contain_text("4 passed")

    refused.get_by_role("button", name="Save and publish").click()

    expect(refused.locator("body")).to_contain_text("text-reply v2 is published")
    assert reply.latest().number == 2


def test_what_came_is_taken_as_expected_and_published(refused, reply):
    refused.get_by_role("button", name="Take what came as expected").click()
    expect(refused.locator("#omni-tests")).to_contain_text("4 passed")

    refused.get_by_role("button", name="Save and publish").click()

    expect(refused.locator("body")).to_contain_text("text-reply v2 is published")
    assert '"text": "Bye. Hello Ana!"' in reply.latest().text


def test_publish_anyway_asks_for_a_reason_and_publishes(refused, reply):
    refused.get_by_role("button", name="Publish anyway").click()
    expect(refused.locator("body")).to_contain_text("say why it goes out although tests fail")
    expect(refused.locator("#omni-tests")).to_contain_text("1 of 4 failed")

    refused.get_by_label("Publish anyway").fill("a new greeting, tests follow")
    refused.get_by_role("button", name="Publish anyway").click()

    expect(refused.locator("body")).to_contain_text("text-reply v2 is published")
    assert reply.latest().note == "a new greeting, tests follow"
