"""The security headers of every page: nothing from other hosts, no frames, no guessing of types.

The admin's theme evaluates expressions in the browser, so `unsafe-eval` and inline styles are
allowed under /admin/ and the API's own pages, nowhere else.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

STRICT = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
          "connect-src 'self'; font-src 'self'; media-src 'self' blob:; form-action 'self'; "
          "base-uri 'none'; object-src 'none'; frame-ancestors 'none'")
THEMED = STRICT.replace(
    "script-src 'self'", "script-src 'self' 'unsafe-eval' 'unsafe-inline'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'")
_THEMED_PATHS = ("/admin/", "/api/docs/", "/api/redoc/")
_PRIVATE_PATHS = ("/admin/", "/api/", "/live/")


def security_headers(get_response: Callable[[HttpRequest], HttpResponse]
                     ) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        themed = request.path.startswith(_THEMED_PATHS)
        response.headers.setdefault("Content-Security-Policy", THEMED if themed else STRICT)
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=()")
        if request.path.startswith(_PRIVATE_PATHS):
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return respond
