"""One port for everything: webhook POSTs to the lane, sockets to Channels, the rest to Django."""

import gc
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")

import django

django.setup()

from channels.routing import URLRouter
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from connections.library import adapters
from events.door import lane, large_bodies
from events.door.commit import writer
from events.live import feed
from omni.config.watch import Watch
from omni.urls_sockets import websocket_urlpatterns
from omni.web.bridge import WSGIBridge

STOP_SECONDS = 10.0
NEW_OBJECTS = 20_000  # containers made and not freed yet, of all that is under way
_django = WSGIBridge(get_wsgi_application())
_sockets = URLRouter(websocket_urlpatterns)
_watch = Watch()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Where each kind of connection goes."""
    if scope["type"] == "http":
        is_delivery = scope["method"] == "POST" and lane.address(scope["path"])
        await (lane.lane if is_delivery else _django)(scope, receive, send)
    elif scope["type"] == "websocket":
        await _sockets(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _lifespan(receive, send)


async def _lifespan(receive: Any, send: Any) -> None:
    """Start with the process; before it stops, let queued deliveries be committed."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            writer.wake()  # what the spool kept over the stop is stored now
            _settle_memory()
            _watch.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await feed.close()
            _watch.stop()
            writer.drain(STOP_SECONDS)
            writer.end()
            large_bodies.elsewhere.end()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _settle_memory() -> None:
    """What the start made stays for good: the garbage collector, which holds up every request while
    it looks (80 ms for all of it), need not look at it again. Nor at what is under way: a delivery
    is some 200 objects and leaves no cycle behind, so that many are new before it looks.
    """
    adapters()
    _ = get_resolver().url_patterns
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
