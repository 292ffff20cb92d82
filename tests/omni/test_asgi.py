"""One port: deliveries to the lane, the rest to Django, and a clean stop."""

import asyncio

import pytest

from omni import asgi


@pytest.fixture
def taken(monkeypatch):
    """Which part of the application took each connection."""
    names = []

    def part(name):
        async def take(scope, receive, send):
            names.append(name)

        return take

    monkeypatch.setattr(asgi.lane, "lane", part("lane"))
    monkeypatch.setattr(asgi, "_django", part("django"))
    monkeypatch.setattr(asgi, "_sockets", part("sockets"))
    return names


@pytest.mark.parametrize(("kind", "method", "path", "part"), [
    ("http", "POST", "/webhooks/webhook/shop/", "lane"),
    ("http", "POST", "/webhook/evolution/shop", "lane"),
    ("http", "GET", "/webhooks/webhook/shop/", "django"),
    ("http", "PUT", "/webhooks/webhook/shop/", "django"),
    ("http", "POST", "/webhooks/webhook", "django"),
    ("http", "POST", "/api/v1/events/", "django"),
    ("websocket", "GET", "/ws/events/", "sockets")])
async def test_each_connection_goes_to_its_part(taken, kind, method, path, part):
    await asgi.application({"type": kind, "method": method, "path": path, "headers": []},
                           None, None)

    assert taken == [part]


async def test_stop_waits_until_deliveries_are_stored(monkeypatch):
    waited, sent = [], []
    monkeypatch.setattr(asgi.writer, "wake", lambda: None)
    monkeypatch.setattr(asgi.writer, "drain", waited.append)
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append((message["type"], len(waited)))

    await asyncio.wait_for(asgi.application({"type": "lifespan"}, receive, send), 5)

    assert sent == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]
