"""A question to a person, answered in the admin by clicking, and what the customer then reads."""

import pytest
from playwright.sync_api import expect

from registry.models import Approval
from tests.factories import make_instance, switch_on
from tests.registry.runs import work

pytestmark = pytest.mark.browser
ASKS = """\
omni: 1
id: asks-first
trigger:
  - event: message.text
    where: event.direction == 'inbound'
steps:
  - id: ok
    approval:
      ask: Send this?
      show: We open at nine.
      of: ["user:boss"]
      timeout: 30m
      on_timeout: reject
  - if: steps.ok.output.decision == 'approve'
    uses: route.reply
    with:
      text: ${{ default(steps.ok.output.edited, 'We open at nine.') }}
"""


@pytest.fixture
def chat(page):
    """The customer's page, after a question that a person has to answer."""
    make_instance("desk", "webchat", credentials={"secret": "a long random text"})
    switch_on(ASKS)
    page.goto("/chat/desk/")
    expect(page.locator("#state")).to_have_text("Online")
    page.get_by_label("Message", exact=True).fill("When do you open?")
    page.keyboard.press("Enter")
    expect(page.locator(".tick.sent")).to_be_visible()
    work()
    return page


@pytest.fixture
def question(chat, boss):
    """The page of the question; a tab of its own."""
    tab = boss.context.new_page()
    tab.goto(f"/admin/registry/approval/{Approval.objects.get().pk}/change/")
    return tab


def test_approve_sends_the_answer_to_the_customer(chat, question):
    question.get_by_role("button", name="Approve").click()

    expect(question.locator("body")).to_contain_text("is approved")
    work()
    expect(chat.locator(".message:not(.own) .text")).to_have_text("We open at nine.")


def test_changed_text_is_what_the_customer_reads(chat, question):
    question.get_by_label("Exactly this is approved").fill("At ten, sorry.")
    question.get_by_role("button", name="Approve").click()

    expect(question.locator("body")).to_contain_text("is approved")
    work()
    expect(chat.locator(".message:not(.own) .text")).to_have_text("At ten, sorry.")


def test_enter_in_the_comment_answers_nothing_and_reject_keeps_it_and_sends_nothing(chat, question):
    field = question.get_by_label("Comment")
    field.press_sequentially("not")
    field.press("Enter")
    field.press_sequentially("sure")
    expect(field).to_have_value("not\nsure")
    assert Approval.objects.get().state == "open"

    field.fill("not today")
    question.get_by_role("button", name="Reject").click()

    expect(question.locator("body")).to_contain_text("is rejected")
    work()
    chat.reload()
    expect(chat.locator(".message .text")).to_have_text(["When do you open?"])
    assert Approval.objects.get().comment == "not today"
