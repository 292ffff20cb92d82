"""Security headers: strict everywhere, relaxed only where the theme needs it."""

import pytest
from django.http import HttpResponse

from omni.web.headers import STRICT, THEMED, security_headers


def headers_of(path, rf, **given):
    response = HttpResponse(headers=given)
    return security_headers(lambda _: response)(rf.get(path)).headers


@pytest.mark.parametrize(("path", "policy"), [
    ("/", STRICT), ("/live/", STRICT), ("/chat/shop/", STRICT), ("/webhooks/a/b/", STRICT),
    ("/api/v1/events/", STRICT), ("/administrator", STRICT), ("/admin/", THEMED),
    ("/api/docs/", THEMED)])
def test_only_pages_of_the_theme_may_evaluate(rf, path, policy):
    assert headers_of(path, rf)["Content-Security-Policy"] == policy


@pytest.mark.parametrize("policy", [STRICT, THEMED])
def test_no_page_loads_from_another_host_or_stands_in_a_frame(policy):
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "http:" not in policy and "https:" not in policy and "*" not in policy
    assert ("unsafe" in STRICT, "unsafe-eval" in THEMED) == (False, True)


@pytest.mark.parametrize(("path", "kept"), [
    ("/admin/", "no-store"), ("/api/v1/events/", "no-store"), ("/live/", "no-store"),
    ("/chat/shop/", None), ("/static/a.js", None)])
def test_private_pages_are_not_kept_by_browsers(rf, path, kept):
    assert headers_of(path, rf).get("Cache-Control") == kept


def test_header_a_view_has_set_is_left(rf):
    headers = headers_of("/", rf, **{"Content-Security-Policy": "sandbox"})

    assert headers["Content-Security-Policy"] == "sandbox"


def test_real_page_has_them(client, db):
    headers = client.get("/healthz").headers

    assert headers["Content-Security-Policy"] == STRICT
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
