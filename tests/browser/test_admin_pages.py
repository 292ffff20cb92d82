"""Pages of people, conversations, tasks and approvals in a real browser."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from actions.models import Task
from events.models import Contact, Conversation, Event
from registry.models import Approval
from tests.admin_world import make_world
from tests.browser import look

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REF = "v_" + "A1b2C3d4" * 12  # no place to break a line at


@pytest.fixture
def world(db):
    found = make_world()
    Conversation.objects.update(ref=REF, title="")
    Contact.objects.update(name="")
    found.contact.handles.update(value=REF)
    return found


@pytest.fixture
def admin(boss, world):
    return boss


def open_page(admin, row):
    admin.goto(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change",
                       args=[row.pk]))
    expect(admin.locator("#content, main").first).to_be_visible()


def links_that_reach_over_the_next_word(admin):
    return admin.evaluate("""() => [...document.querySelectorAll(".field-line .readonly")].filter(
        box => box.getBoundingClientRect().right
               > box.closest(".field-line").getBoundingClientRect().right).length""")


def cards_that_touch(admin):
    above, below = admin.locator(".omni-panel").bounding_box(), admin.locator(
        "fieldset.module").first.bounding_box()
    return below["y"] - above["y"] - above["height"] < 8


def name_of_more_than_one_line(admin):
    return admin.get_by_label("Name").evaluate("field => field.tagName") != "INPUT"


FAULTS = {Conversation: (), Contact: (name_of_more_than_one_line,),
          Task: (links_that_reach_over_the_next_word,), Approval: (cards_that_touch,), Event: ()}


def test_pages_are_not_wider_than_the_screen_and_their_parts_have_room(admin):
    faults = []
    for model, parts in FAULTS.items():
        admin.set_viewport_size({"width": look.WIDTHS[0], "height": 820})
        open_page(admin, model.objects.get())
        faults += [(model.__name__, fault.__name__) for fault in parts if fault(admin)]
        for width in look.WIDTHS:
            admin.set_viewport_size({"width": width, "height": 820})
            if (pixels := look.sticks_out(admin)) > 0:
                faults.append((model.__name__, width, "sticks out", pixels))

    assert not faults, faults


def test_tags_of_a_direct_conversation_are_typed_saved_and_shown_as_chips(admin, world):
    place = world.conversation
    for width, tags in zip(look.WIDTHS, (["vip", "awaiting-reply"], ["late", "vip"]), strict=True):
        admin.set_viewport_size({"width": width, "height": 820})
        open_page(admin, place)

        admin.get_by_label("Tags").fill(", ".join(tags))
        admin.get_by_role("button", name="Save and continue editing").click()

        expect(admin.get_by_text("was changed successfully")).to_be_visible(timeout=30_000)
        expect(admin.locator(".omni-chips .omni-tag")).to_have_text(tags)
        expect(admin.get_by_label("Tags")).to_have_value(", ".join(tags))
        place.refresh_from_db()
        assert (place.title, place.tags) == ("", tags)
        assert look.sticks_out(admin) <= 0, width
