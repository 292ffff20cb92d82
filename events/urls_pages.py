"""Addresses of the pages of this part: the live view and the built-in web chat."""

from django.urls import path

from events import pages

urlpatterns = [
    path("live/", pages.live, name="live"),
    path("chat/<slug:slug>/", pages.chat, name="chat"),
    path("chat/<slug:slug>/files/<int:file_id>/", pages.chat_file, name="chat-file"),
]
