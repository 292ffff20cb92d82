"""Pages of people, conversations, tasks and approvals in a real browser."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import expect

from actions.models import Task
from events.models import Contact, Conversation, Event
from registry.models import Approval
from tests.admin_world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REF = "v_" + "A1b2C3d4" * 12  # no place to break a line at
WIDTHS = [1280, 390]
MODELS = [Conversation, Contact, Task, Approval, Event]


@pytest.fixture
def world(db):
    found = make_world()
    Conversation.objects.update(ref=REF, title="")
    Contact.objects.update(name="")
    found.contact.handles.update(value=REF)
    return found


@pytest.fixture
def admin(page, world, server):
    client = Client()
    client.force_login(User.objects.create_superuser("ana"))
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value,
                               "url": server}])
    return page


def address(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def open_page(admin, row, width=1280):
    admin.set_viewport_size({"width": width, "height": 820})
    admin.goto(address(row))
    expect(admin.locator("#content, main").first).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_page_is_not_wider_than_the_screen(admin, model, width):
    open_page(admin, model.objects.get(), width)

    assert admin.evaluate("document.documentElement.scrollWidth") <= width


def test_link_of_a_task_stays_clear_of_the_next_word(admin):
    open_page(admin, Task.objects.get())

    assert admin.evaluate("""() => [...document.querySelectorAll(".field-line .readonly")].filter(
        box => box.getBoundingClientRect().right
               > box.closest(".field-line").getBoundingClientRect().right).length""") == 0


def test_cards_of_an_approval_do_not_touch(admin):
    open_page(admin, Approval.objects.get())

    above, below = admin.locator(".omni-panel").bounding_box(), admin.locator(
        "fieldset.module").first.bounding_box()
    assert below["y"] - above["y"] - above["height"] >= 8


@pytest.mark.parametrize("width", WIDTHS)
def test_tags_of_a_direct_conversation_are_typed_saved_and_shown_as_chips(admin, world, width):
    place = world.conversation
    open_page(admin, place, width)

    admin.get_by_label("Tags").fill("vip, awaiting-reply")
    admin.get_by_role("button", name="Save and continue editing").click()

    expect(admin.get_by_text("was changed successfully")).to_be_visible(timeout=30_000)
    expect(admin.locator(".omni-chips .omni-tag")).to_have_text(["vip", "awaiting-reply"])
    expect(admin.get_by_label("Tags")).to_have_value("vip, awaiting-reply")
    place.refresh_from_db()
    assert (place.title, place.tags) == ("", ["vip", "awaiting-reply"])
    assert admin.evaluate("document.documentElement.scrollWidth") <= width


def test_name_of_a_contact_is_one_line(admin, world):
    open_page(admin, world.contact)

    assert admin.get_by_label("Name").evaluate("field => field.tagName") == "INPUT"
