import threading

from actions import presence


def test_typing_is_shown_while_the_block_lasts(say, context, monkeypatch):
    seen = threading.Semaphore(0)
    marks = []

    def signal(message, *, instance):
        marks.append((message.to, message.content, instance.slug))
        seen.release()

    monkeypatch.setattr("events.outbox.deliver.signal", signal)
    event = say()

    with presence.Typing(event, context, after=0.01, every=0.01) as mark:
        assert seen.acquire(timeout=5) and seen.acquire(timeout=5)

    assert mark.shown
    assert marks[0] == (event.conversation_ref, {"state": "typing", "seconds": 15.0}, "shop")


def test_nothing_is_shown_when_the_block_ends_first(say, context, signals):
    with presence.Typing(say(), context, after=30, every=5) as mark:
        pass

    assert signals == [] and not mark.shown


def test_block_does_not_wait_for_a_mark_on_its_way(say, context, monkeypatch):
    on_its_way, release = threading.Event(), threading.Event()

    def signal(message, *, instance):
        on_its_way.set()
        release.wait(10)

    monkeypatch.setattr("events.outbox.deliver.signal", signal)

    with presence.Typing(say(), context, after=0, every=5):
        assert on_its_way.wait(5)

    assert not release.is_set()
    release.set()


def test_dry_run_shows_nothing(say, context, signals):
    context.dry_run = True

    presence.show(say(), context, "typing")

    assert signals == []
