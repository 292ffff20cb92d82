"""The two pages of this part: the built-in web chat, for anybody, and the live view, for staff."""

import math

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connections.access import principal_of
from connections.adapter import Account
from connections.envelope import DIRECTIONS, KINDS
from connections.models import Instance, lookup
from connections.providers.webchat import visitors
from events.api.media import as_response
from events.chat import chatlog
from events.chat.socket import PROVIDER, cookie_name
from events.store import media
from omni.errors import RateLimited, SignatureMismatch

COOKIE_SECONDS = 400 * 86_400  # the longest a browser keeps one


@require_safe
@staff_member_required(login_url=settings.LOGIN_URL)
def live(request: HttpRequest) -> HttpResponse:
    """What happens, while it happens."""
    instances = Instance.objects.visible_to(principal_of(request.user)).active()
    families = sorted({kind.partition(".")[0] for kind in KINDS})
    return render(request, "events/live.html", {
        "instances": instances.only("slug", "name"), "kinds": KINDS, "families": families,
        "directions": DIRECTIONS})


@require_safe
@never_cache
def chat(request: HttpRequest, slug: str) -> HttpResponse:
    """The messenger of one instance. A cookie keeps who the visitor is."""
    instance, account = _chat(slug)
    if not account.credentials.secret:
        return render(request, "events/chat_closed.html", {"instance": instance}, status=503)
    response = render(request, "events/chat.html", {"instance": instance})
    if not _visitor(request, account):
        token = visitors.issue(slug=slug, secret=account.credentials.secret)
        response.set_cookie(cookie_name(slug), token, max_age=COOKIE_SECONDS, httponly=True,
                            samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response


@require_safe
def chat_file(request: HttpRequest, slug: str, file_id: int) -> HttpResponseBase:
    """A file of the visitor's own conversation; a foreign one does not exist."""
    instance, account = _chat(slug)
    visitor = _visitor(request, account)
    if not visitor:
        raise Http404("no such file")
    file = chatlog.file_of(file_id, instance_id=instance.pk, visitor=visitor)
    try:
        if file is None or media.fetch(file).state != "stored":
            raise Http404("no such file")
    except RateLimited as exc:
        return HttpResponse("the file cannot be had now; try again", status=503,
                            content_type="text/plain; charset=utf-8",
                            headers={"Retry-After": str(math.ceil(exc.retry_after or 5))})
    response = as_response(file)
    response["Cache-Control"] = "private, max-age=86400"
    return response


def _chat(slug: str) -> tuple[Instance, Account]:
    instance, account = lookup(PROVIDER, slug)
    if instance is None or account is None or instance.archived_at:
        raise Http404("there is no such chat")
    return instance, account


def _visitor(request: HttpRequest, account: Account) -> str:
    """The visitor the request's cookie proves; "" when it proves none."""
    token = request.COOKIES.get(cookie_name(account.slug), "")
    try:
        return visitors.visitor_of(token, slug=account.slug, secret=account.credentials.secret)
    except SignatureMismatch:
        return ""
