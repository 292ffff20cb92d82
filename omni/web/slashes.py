"""Addresses without their last slash: reading is sent on, and says so; writing is told."""

from typing import Any

from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.middleware.common import CommonMiddleware
from django.urls import is_valid_path


class ToTheSlash(HttpResponsePermanentRedirect):
    """301 with a word for whoever does not follow it."""

    def __init__(self, redirect_to: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(redirect_to, *args, content_type="text/plain; charset=utf-8", **kwargs)
        self.content = f"This address ends with a slash: {redirect_to.partition('?')[0]}\n"


class SlashMiddleware(CommonMiddleware):
    """Django's, but only GET and HEAD are sent on: clients turn a redirected POST into a GET."""

    response_redirect_class = ToTheSlash

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)


def lacks_slash(request: HttpRequest) -> bool:
    """Whether only the last slash is missing from an address that is no address."""
    path = request.path_info
    return not path.endswith("/") and is_valid_path(f"{path}/")
