"""The built-in web chat in a real browser."""

import json
import re

import pytest
from playwright.sync_api import expect

from connections.envelope import OutboundMessage
from events.models import Event
from events.outbox import deliver
from events.store.notify import SIGNALS, send_now
from tests.factories import make_instance

pytestmark = pytest.mark.browser
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
                    "0000000d49444154789c6360f8cf500f0003860180345d3ff10000000049454e44ae426082")


@pytest.fixture
def desk(transactional_db):
    return make_instance("desk", "webchat", name="Flower shop",
                         credentials={"secret": "a long random text"},
                         settings={"greeting": "Hello! What may we do for you?"})


@pytest.fixture
def chat(page, desk):
    page.goto("/chat/desk/")
    expect(page.locator("#state")).to_have_text("Online")
    return page


def write(chat, text):
    chat.get_by_label("Message", exact=True).fill(text)
    chat.keyboard.press("Enter")


def visitor():
    return Event.objects.filter(direction="inbound").first().conversation_ref


def answer(desk, text, key="run:1", **fields):
    message = {"kind": "text", "to": visitor(), "text": text, **fields}
    return deliver.send(OutboundMessage(**message), instance=desk, effect_key=key)


def until(claim, page, *, tries=100):
    """Wait until the database says so; the browser goes on meanwhile."""
    while not claim() and tries:
        page.wait_for_timeout(50)
        tries -= 1
    assert claim()


def test_question_is_stored_ticked_answered_and_there_again_after_a_reload(chat, desk):
    expect(chat.locator("#greeting")).to_have_text("Hello! What may we do for you?")
    write(chat, "Are you open today?")

    expect(chat.locator(".message.own .tick.sent")).to_be_visible()
    assert Event.objects.get(event_type="message.text").text == "Are you open today?"

    answer(desk, "Until six.")
    expect(chat.locator(".message:not(.own) .text")).to_have_text("Until six.")
    expect(chat.locator(".message.own .tick.read")).to_be_visible()

    chat.reload()
    expect(chat.locator(".message .text")).to_have_text(["Are you open today?", "Until six."])


def test_message_that_was_not_acknowledged_is_sent_again_once_back(page, desk):
    lost = {"lost": True}

    def pass_on(line):
        far = line.connect_to_server()
        line.on_message(lambda text: None if lost["lost"] else far.send(text))

    page.route_web_socket(re.compile("/ws/chat/"), pass_on)
    page.goto("/chat/desk/")
    expect(page.locator("#state")).to_have_text("Online")
    write(page, "are you there?")
    expect(page.locator(".tick.sending")).to_be_visible()

    lost["lost"] = False
    page.reload()

    expect(page.locator(".message.own .tick.sent")).to_have_count(1)
    assert Event.objects.get(event_type="message.text").text == "are you there?"


def test_lost_connection_is_said_and_comes_back_by_itself(page, desk):
    lines = []

    def pass_on(line):
        line.connect_to_server()
        lines.append(line)

    page.route_web_socket(re.compile("/ws/chat/"), pass_on)
    page.goto("/chat/desk/")
    expect(page.locator("#state")).to_have_text("Online")

    lines[0].close(code=1012)

    expect(page.locator("#banner")).to_be_visible()
    expect(page.locator("#state")).to_have_text("Online")
    expect(page.locator("#banner")).to_be_hidden()


def test_shift_enter_makes_a_line_and_enter_sends(chat):
    field = chat.get_by_label("Message", exact=True)
    field.fill("one")
    field.press("Shift+Enter")
    field.press_sequentially("two")
    field.press("Enter")

    expect(chat.locator(".message.own .text")).to_have_text(re.compile("one\ntwo"),
                                                            use_inner_text=True)


def test_messages_are_text_with_links_that_tell_no_referrer_and_fit_a_narrow_screen(chat):
    texts = ["<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "javascript:alert(1)",
             "{{7*7}}"]
    for text in texts:
        write(chat, text)

    expect(chat.locator(".message.own .text")).to_have_text(texts)
    assert chat.locator(".message img, .message script, .message a").count() == 0

    write(chat, "see https://example.org/a?b=1.")
    link = chat.locator(".message.own a")
    expect(link).to_have_attribute("href", "https://example.org/a?b=1")
    expect(link).to_have_attribute("rel", re.compile("noopener noreferrer"))

    chat.set_viewport_size({"width": 360, "height": 640})
    write(chat, "a very long word: " + "x" * 300)
    expect(chat.locator(".message.own")).to_have_count(len(texts) + 2)
    assert chat.evaluate("document.documentElement.scrollWidth") <= 360


def test_typing_is_shown_until_the_message_comes(chat, desk):
    write(chat, "hello")
    expect(chat.locator(".tick.sent")).to_be_visible()

    send_now(SIGNALS, [json.dumps(
        {"instance_id": desk.pk, "to": visitor(), "state": "typing"})])
    expect(chat.locator("#typing")).to_be_visible()
    answer(desk, "hi")

    expect(chat.locator("#typing")).to_be_hidden()


def test_visitor_who_writes_too_much_is_told_and_may_send_it_again(chat, desk):
    desk.settings = {"limits": {"visitor": {"messages_per_minute": 1}}}
    desk.save()
    write(chat, "hello")
    expect(chat.locator(".tick.sent")).to_be_visible()

    write(chat, "hello again")

    expect(chat.locator("#banner")).to_have_text(
        re.compile("You have sent too much. Try again in "))
    expect(chat.get_by_role("button", name="Send again")).to_be_visible()
    assert Event.objects.filter(event_type="message.text").count() == 1


def test_picture_is_previewed_sent_and_shown_again_after_a_reload(chat):
    chat.locator("#files").set_input_files(
        {"name": "cat.png", "mimeType": "image/png", "buffer": PNG})
    expect(chat.locator(".pick")).to_contain_text("cat.png")
    chat.get_by_role("button", name="Send", exact=True).click()
    expect(chat.locator(".tick.sent")).to_be_visible()

    chat.reload()

    picture = chat.locator(".picture img")
    expect(picture).to_have_attribute("src", re.compile(r"^/chat/desk/files/\d+/$"))
    expect(picture).to_have_js_property("naturalWidth", 1)


def test_option_of_a_poll_is_a_vote(chat, desk):
    write(chat, "hello")
    expect(chat.locator(".tick.sent")).to_be_visible()
    answer(desk, None, kind="poll",
           content={"name": "Tea or coffee?", "options": ["Tea", "Coffee"]})

    chat.get_by_role("button", name="Coffee").click()

    expect(chat.get_by_role("button", name="Coffee")).to_have_attribute("aria-pressed", "true")
    until(lambda: Event.objects.filter(event_type="poll.vote", text="Coffee").exists(), chat)
