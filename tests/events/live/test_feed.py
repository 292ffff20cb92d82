"""The live feed against a real LISTEN/NOTIFY: nothing is skipped, slow sockets get a gap."""

import asyncio
import json

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.utils import timezone

from events.live import feed as feed_module
from events.live import feedrows, floor
from events.live.feed import Feed
from events.live.subscriptions import Filter
from events.models import Conversation, Event, EventAction
from events.store import notify, outcomes
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
    monkeypatch.setattr(floor, "SETTLE_SECONDS", 0.05)
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
        assert early not in seen and feed.floor.id < early

        await slow.commit()
        await sync_to_async(send_now)(EVENTS, [])

    assert await ids_until(subscription, {early}) == [early]


async def test_floor_rises_once_no_open_transaction_can_show_a_lower_id(feed, shop, monkeypatch):
    monkeypatch.setattr(floor, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(feed_module, "CATCH_UP_SECONDS", 0.1)
    subscription = await following(feed)
    event = await add(shop)

    await ids_until(subscription, {event.pk})

    async with asyncio.timeout(5):
        while feed.floor.id < event.pk:
            await asyncio.sleep(0.02)
    assert feed.floor.seen == set()


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
                       "AND query ~ 'pg_current_snapshot|pg_advisory'")  # no page's connection
        assert cursor.rowcount == 1


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
def add_run(event, *, state, notify=True):
    """A run of the event with one step, and the notice that it changed."""
    workflow = make_workflow(TIDY)
    now = timezone.now()
    run = Run.objects.create(
        instance=event.instance, event=event, workflow=workflow, version=workflow.latest(),
        state=state, available_at=now, created_at=now, started_at=now)
    outcomes.record([EventAction(
        instance=event.instance, event=event, run_id=run.pk, workflow="tidy", path="steps[0]",
        step_kind="stop", status="done", started_at=now, ended_at=now, duration_ms=1.5)])
    if notify:
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


@pytest.fixture
def reads(monkeypatch):
    """Names of the statements the feed makes, in their order."""
    found = []
    for name in ("new_events", "runs", "changed_runs", "newest_ids"):
        monkeypatch.setattr(feedrows, name, noting(found, name, getattr(feedrows, name)))
    return found


def noting(found, name, read):
    async def noted(*args, **kwargs):
        found.append(name)
        return await read(*args, **kwargs)
    return noted


async def test_visitor_of_a_chat_costs_no_look_at_runs(feed, shop, reads):
    event = await add(shop)
    visitor = await following(feed, instance_ids=frozenset([shop.pk]), conversation_ref="v1",
                              rows=False, runs=False)

    await add_run(event, state="running")
    theirs = await add(shop, conversation_ref="v1")

    assert await ids_until(visitor, {theirs.pk}) == [theirs.pk]
    assert "runs" not in reads and "changed_runs" not in reads


async def test_typing_signal_costs_no_statement(feed, shop, reads):
    visitor = await following(feed, conversation_ref="v1", signals=True, rows=False, runs=False)
    reads.clear()

    await sync_to_async(send_now)(SIGNALS, [json.dumps(
        {"instance_id": shop.pk, "to": "v1", "state": "typing"})])

    assert (await asyncio.wait_for(visitor.next(), 5)).signals and reads == []


async def test_notice_costs_nothing_once_the_last_socket_is_gone(feed, shop, reads):
    subscription = await following(feed)
    feed.unsubscribe(subscription)
    reads.clear()

    await add(shop)
    again = await following(feed, rows=False)
    await ids_until(again, {(await add(shop)).pk})

    assert reads[0] == "newest_ids"  # the start of the second, and nothing before


async def test_what_an_event_says_is_read_only_for_accounts_somebody_follows(feed, shop):
    other = await sync_to_async(make_instance)("other")
    reader = await following(feed, instance_ids=frozenset([shop.pk]))
    visitor = feed.subscribe(Filter(conversation_ref="v1", rows=False, runs=False))

    foreign = await add(other, conversation_ref="v1")
    own = await add(shop, conversation_ref="v1")

    assert await ids_until(reader, {own.pk}) == [own.pk]
    texts = {}
    while set(texts) != {foreign.pk, own.pk}:
        batch = await asyncio.wait_for(visitor.next(), 5)
        texts |= {item.id: item.text for item in batch.items}
    assert texts[foreign.pk] == "" and texts[own.pk]


async def test_floor_rises_over_events_nobody_follows(feed, shop, monkeypatch):
    monkeypatch.setattr(floor, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(feed_module, "CATCH_UP_SECONDS", 0.1)
    await following(feed, instance_ids=frozenset())

    event = await add(shop)

    async with asyncio.timeout(5):
        while feed.floor.id < event.pk:
            await asyncio.sleep(0.02)


async def test_reader_who_comes_while_an_event_is_read_for_others_gets_its_row(
        feed, shop, monkeypatch):
    visitor = await following(feed, conversation_ref="v1", rows=False, runs=False)
    read, joined = feedrows.new_events, []

    async def and_join(*args, **kwargs):
        page = await read(*args, **kwargs)
        if page.items and not joined:
            joined.append(feed.subscribe(Filter(instance_ids=frozenset([shop.pk]))))
        return page

    monkeypatch.setattr(feedrows, "new_events", and_join)
    event = await add(shop, conversation_ref="v1")

    assert await ids_until(visitor, {event.pk}) == [event.pk]
    batch = await asyncio.wait_for(joined[0].next(), 5)
    assert [row["id"] for row in json.loads(batch.frame)["events"]] == [event.pk]


async def test_reader_who_comes_while_runs_are_read_for_others_gets_theirs(
        feed, shop, monkeypatch):
    other = await sync_to_async(make_instance)("other")
    event = await add(shop)
    await following(feed, instance_ids=frozenset([other.pk]))
    read, joined = feedrows.runs, []

    async def and_join(*args, **kwargs):
        found = await read(*args, **kwargs)
        if not joined:
            joined.append(feed.subscribe(Filter(instance_ids=frozenset([shop.pk]))))
        return found

    monkeypatch.setattr(feedrows, "runs", and_join)
    run = await add_run(event, state="running")

    async with asyncio.timeout(5):
        while not joined:
            await asyncio.sleep(0.01)
    assert [row["id"] for row in await runs_shown(joined[0])] == [run.pk]


def is_heard():
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {notify.IS_HEARD}")
        return cursor.fetchone()[0]


async def told(heard):
    """Until the workers know that somebody wants runs, or that nobody does."""
    async with asyncio.timeout(3):  # less than the next look of the feed
        while await sync_to_async(is_heard)() is not heard:
            await asyncio.sleep(0.01)


async def test_workers_are_told_while_somebody_reads_runs(feed, shop):
    visitor = await following(feed, conversation_ref="v1", rows=False, runs=False)
    assert not await sync_to_async(is_heard)()

    reader = feed.subscribe(Filter())
    await told(True)
    feed.unsubscribe(reader)
    await told(False)
    feed.change(visitor, Filter())
    await told(True)
    feed.unsubscribe(visitor)
    await told(False)


async def test_run_that_changed_before_the_workers_knew_of_the_reader_is_shown(feed, shop):
    event = await add(shop)
    subscription = await following(feed)
    await told(True)

    run = await add_run(event, state="running", notify=False)

    async with asyncio.timeout(2 * notify.HEARD_SECONDS + 1):
        assert [row["id"] for row in await runs_shown(subscription)] == [run.pk]


async def test_workers_are_told_again_after_the_database_dropped_the_feed(
        feed, shop, monkeypatch):
    monkeypatch.setattr(feed_module, "RETRY_SECONDS", (0.05, 0.1))
    await following(feed)
    await told(True)

    await sync_to_async(drop_listeners)()
    await told(False)

    await told(True)
