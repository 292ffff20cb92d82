"""Addresses of the sockets. Each checks the origin by itself: programs have none."""

from django.urls import path

from events.chat.socket import ChatSocket
from events.live.consumers import EventsSocket

websocket_urlpatterns = [
    path("ws/events/", EventsSocket.as_asgi()),
    path("ws/chat/<slug:slug>/", ChatSocket.as_asgi()),
]
