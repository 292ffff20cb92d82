"""What the clock makes of schedules: each due time once, and none from before they were on."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from connections.models import Instance
from events.models import Event
from registry.engine.starts import clockwork
from registry.engine.starts.clockwork import Clock, kept
from registry.models import Binding, Workflow
from registry.versions import bindings
from tests.factories import make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)  # a Monday; everything is on since then


def at(text, day=2):
    return datetime.fromisoformat(f"2026-03-{day:02}T{text}").replace(tzinfo=UTC)


def flow(name="report", *lines):
    lines = lines or ("cron: 0 * * * *",)
    triggers = "".join(f"  - schedule: {{{line}}}\n" for line in lines)
    return f"omni: 1\nid: {name}\ntrigger:\n{triggers}steps: [{{set: {{a: 1}}}}]\n"


@pytest.fixture(autouse=True)
def saved_at(monkeypatch):
    """When rows are saved in these tests: [moment], to be changed."""
    moment = [START]
    monkeypatch.setattr(timezone, "now", lambda: moment[0])
    return moment


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def hourly(shop):
    return switch_on(flow())


def ticks(**of):
    return [event.content["due_at"][11:16] for event in
            Event.objects.filter(event_type="system.schedule", **of).order_by("occurred_at")]


def skipped():
    return [event.content["skipped"] for event in
            Event.objects.filter(event_type="system.schedule").order_by("occurred_at")]


def test_due_time_becomes_an_event_that_names_its_workflow_and_line(shop, hourly):
    assert Clock().tick(at("09:00:01")) == 1

    event = Event.objects.get()
    assert (event.instance, event.event_type, event.direction) == (shop, "system.schedule",
                                                                   "internal")
    assert event.auto_generated and event.occurred_at == at("09:00") and event.routed_at is None
    assert event.content == {"workflow": "report", "cron": "0 * * * *", "timezone": "UTC",
                             "due_at": "2026-03-02T09:00:00+00:00", "skipped": 0}
    assert event.dedup_key.startswith("schedule:report:")
    assert event.dedup_key.endswith(":2026-03-02T09:00:00+00:00")


def test_nothing_is_due_before_its_time(hourly):
    clock = Clock()

    assert [clock.tick(at(text)) for text in ("08:59:59", "09:00:00", "09:00:01", "09:59:59",
                                              "10:00:00")] == [0, 1, 0, 0, 1]
    assert ticks() == ["09:00", "10:00"]


@pytest.mark.django_db(transaction=True)
def test_watching_costs_no_query_while_nothing_is_due(
        hourly, settings, django_assert_num_queries):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    clock = Clock()
    clock.tick(at("09:00:01"))

    with django_assert_num_queries(0):
        clock.tick(at("09:00:02"))


def test_restarted_worker_repeats_nothing_and_makes_up_for_what_it_missed(hourly):
    Clock().tick(at("09:00:01"))

    assert Clock().tick(at("09:00:02")) == 0
    assert Clock().tick(at("12:10:00")) == 1
    assert ticks() == ["09:00", "12:00"] and skipped() == [0, 2]


def test_what_was_due_before_it_was_switched_on_is_never_made_up_for(hourly):
    assert Clock().tick(at("08:45")) == 0
    assert Event.objects.count() == 0


@pytest.mark.parametrize("row", [Binding, Instance])
def test_switching_on_again_leaves_out_what_came_before(hourly, saved_at, row):
    Clock().tick(at("09:00:01"))
    saved_at[0] = at("14:30")
    row.objects.get().save()

    assert Clock().tick(at("14:40")) == 0
    assert Clock().tick(at("15:00")) == 1
    assert skipped() == [0, 0]


@pytest.mark.parametrize(("catch_up", "times", "left_out"), [
    ("none", [], []), ("last", ["14:00"], [5]), ("all", ["09:00", "10:00", "11:00", "12:00",
                                                         "13:00", "14:00"], [0] * 6)])
def test_missed_times_are_made_up_for_as_the_schedule_says(shop, catch_up, times, left_out):
    switch_on(flow("report", f"cron: 0 * * * *, catch_up: {catch_up}"))

    Clock().tick(at("14:20"))

    assert ticks() == times and skipped() == left_out


def test_next_time_after_missed_ones_that_were_skipped_tells_how_many(shop):
    switch_on(flow("report", "cron: 0 * * * *, catch_up: none"))
    clock = Clock()

    clock.tick(at("11:20"))
    clock.tick(at("12:00:30"))

    assert ticks() == ["12:00"] and skipped() == [3]


def test_a_minute_late_is_not_missed():
    times = [at("09:00"), at("10:00")]

    assert kept(times, "none", total=2, now=at("10:01:00")) == [(at("10:00"), 1)]
    assert kept(times, "none", total=2, now=at("10:01:01")) == []


def test_at_most_a_day_of_hours_is_made_up_for(shop):
    switch_on(flow("report", "cron: 0 * * * *, catch_up: all"))

    assert Clock().tick(START + timedelta(hours=30)) == 24

    assert skipped() == [6, *[0] * 23]
    assert Event.objects.earliest("occurred_at").occurred_at == at("15:00")


def test_years_of_missed_minutes_are_counted_up_to_a_bound(shop):
    switch_on(flow("report", "cron: '* * * * *'"))

    assert Clock().tick(START + timedelta(days=3000)) == 1
    assert skipped() == [366 * 1440 - 1]


def test_workflow_is_due_once_for_each_instance_it_is_on_for(shop):
    make_instance("desk")
    make_instance("chat", "webchat")
    make_instance("off", enabled=False)
    make_instance("old", archived_at=START)
    switch_on(flow("everywhere"))
    switch_on(flow("here"), scope="instance", instance=shop)
    of_webhooks = switch_on(flow("webhooks"), scope="provider", provider="webhook")
    bindings.bind(of_webhooks, scope="instance", instance=shop, enabled=False, actor="t")
    make_workflow(flow("nowhere"))

    assert Clock().tick(at("09:00")) == 5

    told = {(event.instance.slug, event.content["workflow"]) for event in Event.objects.all()}
    assert told == {("shop", "everywhere"), ("desk", "everywhere"), ("chat", "everywhere"),
                    ("shop", "here"), ("desk", "webhooks")}


def test_two_lines_of_a_workflow_are_two_schedules_and_equal_ones_are_one(shop):
    switch_on(flow("report", "cron: 0 9 * * *", "cron: '0  9 * * *'",
                   "cron: 0 9 * * *, timezone: Europe/Berlin", "cron: 0 10 * * *"))
    clock = Clock()

    assert clock.tick(at("09:00")) == 1 and clock.tick(at("10:00")) == 1


def test_schedule_follows_what_is_switched_on_and_off_while_it_runs(shop, hourly):
    clock = Clock()
    clock.tick(at("08:59"))
    bindings.bind(hourly, scope="instance", instance=shop, enabled=False, actor="t")

    assert clock.tick(at("09:00")) == 0
    Binding.objects.filter(scope="instance").delete()
    assert clock.tick(at("09:30")) == 0, "it was off at nine"
    assert clock.tick(at("10:00")) == 1
    Instance.objects.update(enabled=False)
    assert clock.tick(at("11:00")) == 0
    Instance.objects.update(enabled=True)
    assert clock.tick(at("11:30")) == 0 and clock.tick(at("12:00")) == 1
    assert ticks() == ["10:00", "12:00"]


def test_new_version_in_the_second_of_a_due_time_does_not_lose_it(hourly, saved_at):
    clock = Clock()
    clock.tick(at("08:59:59"))
    saved_at[0] = at("09:00:01")
    make_workflow(flow() + "# changed\n")

    assert clock.tick(at("09:00:01")) == 1


def test_clock_that_is_put_back_repeats_nothing(hourly):
    clock = Clock()
    clock.tick(at("11:00"))

    assert clock.tick(at("09:30")) == 0 and clock.tick(at("11:00:01")) == 0
    assert Clock().tick(at("09:30")) == 0
    assert ticks() == ["11:00"]


def test_broken_schedule_stops_no_other(shop, monkeypatch, caplog):
    switch_on(flow("broken"))
    switch_on(flow("sound"))
    real = clockwork._draft

    def draft(line, *args):
        if line.slug == "broken" and not repaired:
            connection.cursor().execute("SELECT 1 / 0")
        return real(line, *args)

    monkeypatch.setattr(clockwork, "_draft", draft)
    clock, repaired = Clock(), False

    assert clock.tick(at("09:00")) == 1 and ticks() == ["09:00"]
    assert [record.workflow for record in caplog.records] == ["broken"]
    repaired = True
    assert clock.tick(at("09:00:30")) == 0, "it is left alone for a minute"
    assert clock.tick(at("09:01")) == 1


def test_event_of_the_same_key_is_not_made_again(shop, hourly):
    clock = Clock()
    clock.tick(at("09:00"))
    Event.objects.update(occurred_at=START)  # so that it is not found as the last one

    assert Clock().tick(at("09:00:05")) == 0


def test_tick_of_an_outsider_does_not_hold_the_clock_back(shop, hourly):
    Clock().tick(at("09:00"))
    Event.objects.update(raw_id=7, occurred_at=at("11:59"))

    assert Clock().tick(at("10:00")) == 1


def test_clock_rests_while_another_worker_is_it(hourly):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [clockwork.LOCK])
        clock = Clock()
        assert clock.tick(at("09:00")) == 0 and Event.objects.count() == 0
    finally:
        other.close()

    assert clock.tick(at("09:00:01")) == 1


@pytest.mark.django_db(transaction=True)
def test_two_clocks_make_one_event():
    make_instance()
    switch_on(flow())
    barrier, told = threading.Barrier(2), []

    def work():
        clock = Clock()
        barrier.wait()
        try:
            for second in range(5):
                told.append(clock.tick(at(f"09:00:0{second}")))
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(told) == 1 and Event.objects.count() == 1


def test_archived_workflow_is_due_no_more(hourly):
    Workflow.objects.update(archived_at=START, revision=99)

    assert Clock().tick(at("09:00")) == 0


def test_schedule_of_a_pinned_version_is_kept_when_the_newest_has_none(shop):
    workflow = make_workflow(flow())
    bindings.bind(workflow, scope="instance", instance=shop, version=workflow.latest(), actor="t")
    make_workflow("omni: 1\nid: report\ntrigger: [{manual: true}]\nsteps: [{set: {a: 1}}]\n")

    assert Clock().tick(at("09:00")) == 1
