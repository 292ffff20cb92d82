"""The live feed against a real LISTEN/NOTIFY: nothing is skipped, slow sockets get a gap."""

import asyncio
import json

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.utils import timezone

from events.live import feed as feed_module
from events.live import feedrows
from events.live.feed import Feed
from events.live.subscriptions import Filter
from events.models import Conversation, Event, EventAction
from events.store import outcomes
from events.store.notify import EVENTS, RUNS, SIGNALS, send_now
from registry.models import Run
from tests.factories import TIDY, make_conversation, make_event, make_instance, make_workflow

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def shop():
    return await sync_to_async(make_instance)()


@pytest.fixture
async def feed():
    feed = Feed()
    yield feed
    await feed.close()
    await sync_to_async(connections.close_all)()


@sync_to_async
def add(instance, *, notify=True, **fields):
    event = make_event(instance, **fields)
    if notify:
        send_now(EVENTS, [])
    return event


@sync_to_async
def add_together(instance, *, count):
    with transaction.atomic():
        for _ in range(count):
            make_event(instance)
    send_now(EVENTS, [])


async def following(feed, wanted=None, **kwargs):
    subscription = feed.subscribe(wanted or Filter(**kwargs))
    await asyncio.wait_for(feed.ready.wait(), 5)
    return subscription


async def ids_until(subscription, wanted: set[int], *, seconds=10.0):
    """Ids of events in the order they came, until all of `wanted` were there."""
    found = []
    async with asyncio.timeout(seconds):
        while not wanted <= set(found):
            batch = await subscription.next()
            found += [item.id for item in batch.items if item.kind == "event"]
    return found


async def test_stored_event_reaches_a_subscriber(feed, shop):
    subscription = await following(feed)

    event = await add(shop, text="good morning")

    batch = await asyncio.wait_for(subscription.next(), 5)
    frame = json.loads(batch.frame)
    assert [(row["id"], row["text"], row["instance"]) for row in frame["events"]] == [
        (event.pk, "good morning", "shop")]


async def test_event_without_a_notice_is_found_by_the_next_look(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "CATCH_UP_SECONDS", 0.3)
    subscription = await following(feed)

    event = await add(shop, notify=False)

    assert await ids_until(subscription, {event.pk}) == [event.pk]


async def test_event_of_a_transaction_that_commits_late_is_not_skipped(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "SETTLE_SECONDS", 0.05)
    subscription = await following(feed)
    async with await psycopg.AsyncConnection.connect(**feed_module._parameters()) as slow:
        await slow.set_autocommit(False)
        early = (await (await slow.execute(
            "INSERT INTO omni_events SELECT (jsonb_populate_record(e, jsonb_build_object("
            "'id', nextval(pg_get_serial_sequence('omni_events', 'id')), 'dedup_key', 'late'))).* "
            "FROM omni_events e WHERE id = %s RETURNING id",
            [(await add(shop)).pk])).fetchone())[0]
        later = {(await add(shop)).pk for _ in range(50)}
        seen = await ids_until(subscription, later)
        for _ in range(5):
            marker = await add(shop)
            seen += await ids_until(subscription, {marker.pk})
        assert early not in seen and feed.floor < early

        await slow.commit()
        await sync_to_async(send_now)(EVENTS, [])

    assert await ids_until(subscription, {early}) == [early]


async def test_floor_rises_once_no_open_transaction_can_show_a_lower_id(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(feed_module, "CATCH_UP_SECONDS", 0.1)
    subscription = await following(feed)
    event = await add(shop)

    await ids_until(subscription, {event.pk})

    async with asyncio.timeout(5):
        while feed.floor < event.pk:
            await asyncio.sleep(0.02)
    assert feed._seen == set()


async def test_one_event_is_shown_once(feed, shop):
    subscription = await following(feed)

    events = [await add(shop) for _ in range(20)]
    last = await add(shop)

    assert await ids_until(subscription, {last.pk}) == [event.pk for event in [*events, last]]


async def test_events_of_a_moment_share_one_frame(feed, shop):
    subscription = await following(feed)

    await add_together(shop, count=10)

    batch = await asyncio.wait_for(subscription.next(), 5)
    assert len(batch.items) == 10


async def test_equal_filters_share_the_serialized_frame(feed, shop):
    first, second = await following(feed, types=("message.*",)), feed.subscribe(
        Filter(types=("message.*",)))

    await add(shop)

    assert await first.next() is await second.next()


@pytest.mark.parametrize("wanted", [
    {"types": ("message.status.*",)}, {"direction": "outbound"}, {"conversation_id": 4711},
    {"conversation_ref": "elsewhere"}, {"instance_ids": frozenset()}])
async def test_filter_keeps_foreign_events_away(feed, shop, wanted):
    subscription, everything = await following(feed, **wanted), feed.subscribe(Filter())

    event = await add(shop)
    await ids_until(everything, {event.pk})

    assert subscription._queue.empty()


@pytest.mark.parametrize("asked", ["kept", "merged"])
async def test_filter_by_either_of_two_merged_conversations_shows_both(feed, shop, asked):
    places = {name: await sync_to_async(make_conversation)(shop, name)
              for name in ("kept", "merged")}
    subscription = await following(feed, conversation_id=places[asked].pk)
    await sync_to_async(lambda: Conversation.objects.filter(pk=places["merged"].pk).update(
        merged_into=places["kept"]))()

    events = {(await add(shop, conversation=place)).pk for place in places.values()}

    assert set(await ids_until(subscription, events)) == events
    stored = await sync_to_async(feedrows.stored_events)(subscription.wanted, after=0)
    assert {item.id for item in stored} == events


async def test_slow_subscriber_gets_a_gap_that_names_where_to_read_on(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "COALESCE_SECONDS", 0)
    slow, quick = await following(feed), feed.subscribe(Filter())
    slow._queue = asyncio.Queue(2)
    ids = []
    for _ in range(4):
        ids.append((await add(shop)).pk)
        await ids_until(quick, {ids[-1]})

    delivered = [await slow.next(), await slow.next()]
    gap = await slow.next()

    assert json.loads(gap.frame) == {"type": "gap", "after": delivered[-1].after}
    missed = await sync_to_async(lambda: set(
        Event.objects.filter(pk__gt=gap.after).values_list("pk", flat=True)))()
    shown = {item.id for batch in delivered for item in batch.items}
    assert set(ids) <= missed | shown


async def test_batches_flow_again_after_a_gap(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "COALESCE_SECONDS", 0)
    slow, quick = await following(feed), feed.subscribe(Filter())
    slow._queue = asyncio.Queue(1)
    for _ in range(3):
        await ids_until(quick, {(await add(shop)).pk})
    await slow.next()
    assert (await slow.next()).gap

    event = await add(shop)

    assert await ids_until(slow, {event.pk}) == [event.pk]


async def test_feed_comes_back_after_the_database_dropped_it(feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "RETRY_SECONDS", (0.05, 0.1))
    subscription = await following(feed)
    first = await add(shop)
    await ids_until(subscription, {first.pk})

    await sync_to_async(drop_listeners)()
    missed = await add(shop)

    assert await ids_until(subscription, {missed.pk}) == [missed.pk]


def drop_listeners():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid() "
                       "AND query ILIKE 'listen %'")  # no page's connection


async def test_typing_signal_reaches_the_conversation_it_is_for(feed, shop):
    here = await following(feed, conversation_ref="v1", signals=True)
    there = feed.subscribe(Filter(conversation_ref="v2", signals=True))

    await sync_to_async(send_now)(SIGNALS, [json.dumps(
        {"instance_id": shop.pk, "to": "v1", "state": "typing"})])

    batch = await asyncio.wait_for(here.next(), 5)
    assert [signal.state for signal in batch.signals] == ["typing"] and there._queue.empty()


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"to": "v1"}', '{"instance_id": "x"}'])
async def test_broken_signal_does_not_stop_the_feed(feed, shop, payload):
    subscription = await following(feed, signals=True)

    await sync_to_async(send_now)(SIGNALS, [payload])
    event = await add(shop)

    assert await ids_until(subscription, {event.pk}) == [event.pk]


async def test_long_text_is_cut_and_says_so(feed, shop):
    subscription = await following(feed)

    await add(shop, text="x" * 5000)

    batch = await asyncio.wait_for(subscription.next(), 5)
    row = json.loads(batch.frame)["events"][0]
    assert (len(row["text"]), row["text_cut"]) == (4000, True)


@sync_to_async
def add_run(event, *, state):
    """A run of the event with one step, and the notice that it changed."""
    workflow = make_workflow(TIDY)
    now = timezone.now()
    run = Run.objects.create(
        instance=event.instance, event=event, workflow=workflow, version=workflow.latest(),
        state=state, available_at=now, created_at=now, started_at=now)
    outcomes.record([EventAction(
        instance=event.instance, event=event, run_id=run.pk, workflow="tidy", path="steps[0]",
        step_kind="stop", status="done", started_at=now, ended_at=now, duration_ms=1.5)])
    send_now(RUNS, [str(run.pk)])
    return run


async def test_changed_run_is_shown_with_its_steps(feed, shop):
    event = await add(shop)
    subscription = await following(feed)

    run = await add_run(event, state="running")

    rows = await runs_shown(subscription)
    assert [(row["id"], row["event"], row["workflow"], row["state"]) for row in rows] == [
        (run.pk, event.pk, "tidy", "running")]
    assert [(step["path"], step["status"]) for step in rows[0]["steps"]] == [("steps[0]", "done")]


async def test_run_is_not_shown_to_who_may_not_see_its_instance(feed, shop):
    event = await add(shop)
    foreign, everything = await following(feed, instance_ids=frozenset([shop.pk + 1])), (
        feed.subscribe(Filter()))

    await add_run(event, state="running")

    assert await runs_shown(everything) and foreign._queue.empty()


async def runs_shown(subscription):
    async with asyncio.timeout(5):
        while True:
            if runs := json.loads((await subscription.next()).frame)["runs"]:
                return runs
