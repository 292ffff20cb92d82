"""The live view in a real browser."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from events.models import EventAction
from events.store import outcomes
from events.store.notify import EVENTS, RUNS, send_now
from registry.models import Run
from tests.factories import TIDY, make_event, make_instance, make_workflow

pytestmark = pytest.mark.browser

# The page's socket is not opened before connect() is called.
SLOW_SOCKET = """
    const Real = WebSocket;
    window.WebSocket = class {
      static OPEN = 1;
      constructor(url) {
        window.connect = () => {
          this.real = new Real(url);
          for (const name of ["onopen", "onmessage", "onclose"]) {
            this.real[name] = (event) => this[name](event);
          }
        };
      }
      get readyState() { return this.real ? this.real.readyState : 0; }
      send(text) { this.real.send(text); }
      close() { this.real.close(); }
    };
"""


@pytest.fixture
def shop(transactional_db):
    return make_instance(name="Flower shop")


@pytest.fixture
def live(boss, shop):
    boss.goto("/live/")
    expect(boss.locator("#state")).to_have_text("Live")
    return boss


def add(instance, **fields):
    event = make_event(instance, **fields)
    send_now(EVENTS, [])
    return event


def card(page, event):
    return page.locator(f'.event[data-id="{event.pk}"]')


def test_event_appears_the_moment_it_is_stored_and_newest_first_and_stays(live, shop):
    first = add(shop, text="good morning", sender_name="Ana")
    expect(card(live, first)).to_contain_text("good morning")
    expect(card(live, first)).to_contain_text("message.text")
    expect(card(live, first)).to_contain_text("Ana")

    second = add(shop, text="second")
    expect(live.locator(".event")).to_have_count(2)
    assert live.locator(".event").first.get_attribute("data-id") == str(second.pk) != first.pk

    live.reload()
    expect(card(live, first)).to_be_visible()
    expect(card(live, second)).to_be_visible()

    card(live, first).get_by_role("button").click()
    expect(live.locator("#detail-json")).to_contain_text("good morning")
    live.keyboard.press("Escape")
    expect(live.locator("#detail")).to_be_hidden()


def test_run_is_shown_below_its_event_as_it_changes(live, shop):
    event = add(shop)
    expect(card(live, event)).to_be_visible()
    workflow, now = make_workflow(TIDY), timezone.now()

    run = Run.objects.create(
        instance=shop, event=event, workflow=workflow, version=workflow.latest(), state="running",
        available_at=now, created_at=now, started_at=now)
    send_now(RUNS, [str(run.pk)])
    expect(card(live, event).locator(".mark.running")).to_be_visible()

    outcomes.record([EventAction(
        instance=shop, event=event, run_id=run.pk, workflow="tidy", path="steps[0]",
        step_id="tidy-step", step_kind="stop", status="done", started_at=now, ended_at=now,
        duration_ms=12)])
    Run.objects.filter(pk=run.pk).update(state="ignored", reason="nothing to do", ended_at=now)
    send_now(RUNS, [str(run.pk)])

    expect(card(live, event).locator(".mark.ignored")).to_be_visible()
    expect(card(live, event).locator(".step.done")).to_contain_text("tidy-step")
    expect(card(live, event)).to_contain_text("nothing to do")


def test_paused_view_stands_still_and_shows_what_it_held(live, shop):
    live.get_by_role("button", name="Pause").click()

    event = add(shop, text="meanwhile")

    expect(live.locator("#fresh")).to_have_text("1 new event")
    expect(card(live, event)).to_have_count(0)
    live.locator("#fresh").click()
    expect(card(live, event)).to_be_visible()


def test_view_can_be_paused_once_its_first_list_is_there(boss, shop):
    reads = []
    boss.route("**/api/v1/events/?*", lambda route: reads.append(route))
    boss.goto("/live/")
    expect(boss.locator("#state")).to_have_text("Live")
    expect(boss.get_by_role("button", name="Pause")).to_be_disabled()

    reads[0].continue_()

    expect(boss.get_by_role("button", name="Pause")).to_be_enabled()


def test_filter_survives_a_reload_and_hides_all_else(live, shop):
    other = make_instance("other", name="Other")
    live.get_by_label("Direction").select_option("outbound")
    expect(live).to_have_url(re.compile("direction=outbound"))
    live.reload()
    expect(live.get_by_label("Direction")).to_have_value("outbound")
    live.get_by_label("Direction").select_option("")

    field = live.get_by_label("Type")
    field.fill("message.status.*")
    field.press("Enter")
    hidden, shown = add(shop), add(shop, event_type="message.status.read")
    expect(card(live, shown)).to_be_visible()
    expect(card(live, hidden)).to_have_count(0)
    field.fill("")
    field.press("Enter")
    expect(card(live, hidden)).to_be_visible()

    live.get_by_label("Instance").select_option("other")
    hidden, shown = add(shop), add(other)
    expect(card(live, shown)).to_be_visible()
    expect(card(live, hidden)).to_have_count(0)


def test_filter_chosen_while_the_socket_still_opens_is_kept(live, shop):
    other = make_instance("other", name="Other")
    live.add_init_script(SLOW_SOCKET)
    live.reload()
    live.get_by_label("Instance").select_option("other")
    live.evaluate("connect()")
    expect(live.locator("#state")).to_have_text("Live")

    hidden, shown = add(shop), add(other)

    expect(card(live, shown)).to_be_visible()
    expect(card(live, hidden)).to_have_count(0)


def test_gap_is_filled_by_reading_the_store(boss, shop):
    """The socket drops every live frame and sends a gap instead: REST must give them all."""
    lines = []

    def pass_on(line):
        far = line.connect_to_server()
        far.on_message(lambda text: None if '"type":"feed"' in text else line.send(text))
        lines.append(line)

    boss.route_web_socket(re.compile("/ws/events/"), pass_on)
    boss.goto("/live/")
    expect(boss.locator("#state")).to_have_text("Live")
    expect(boss.locator("#empty")).to_be_visible()
    events = [make_event(shop) for _ in range(229)] + [add(shop)]

    lines[0].send('{"type": "gap", "after": 0}')

    expect(card(boss, events[-1])).to_be_visible()
    expect(boss.locator(".event")).to_have_count(200)


def test_lost_connection_resumes_without_a_hole(boss, shop):
    lines = []
    boss.route_web_socket(re.compile("/ws/events/"), lambda line: (
        line.connect_to_server(), lines.append(line)))
    boss.goto("/live/")
    expect(boss.locator("#state")).to_have_text("Live")

    lines[0].close(code=1012)
    missed = add(shop, text="meanwhile")

    expect(card(boss, missed)).to_be_visible()


def test_words_of_a_stranger_are_text_and_fit_a_narrow_screen(live, shop):
    event = add(shop, text="<img src=x onerror=alert(1)>", sender_name="<b>Ana</b>")

    expect(card(live, event)).to_contain_text("<img src=x onerror=alert(1)>")
    assert card(live, event).locator("img").count() == 0

    live.set_viewport_size({"width": 360, "height": 640})
    event = add(shop, text="x" * 400, sender_name="y" * 80)
    expect(card(live, event)).to_be_visible()
    assert live.evaluate("document.documentElement.scrollWidth") <= 360


def test_signed_out_person_is_asked_to_sign_in(page, shop):
    page.goto("/live/")

    expect(page).to_have_url(re.compile("/admin/login/"))
