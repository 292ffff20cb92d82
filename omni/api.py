"""What every API answer has in common: problem+json errors and keyset pages.

Source of the error shape: RFC 9457 (`type, title, status, detail, instance`), with `code` and
`errors` [{pointer, detail, line?, column?, suggestion?}] added.
"""

import logging
import math
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import set_rollback

from omni import horizon
from omni.errors import (
    InvalidInput,
    InvalidWorkflow,
    NotConfigured,
    OmniError,
    RateLimited,
    Unavailable,
)
from omni.web.slashes import lacks_slash

logger = logging.getLogger("omni.api")
PROBLEM = "application/problem+json"
PAGE_SIZE = 50
PAGE_MAX = 200
_ID_MAX = 2 ** 63 - 1


def problem(status: int, detail: str, *, code: str = "", errors: list[dict] | None = None,
            path: str = "", headers: dict[str, str] | None = None) -> Response:
    """A problem+json answer. errors: [{pointer, detail, …}], one per wrong field."""
    body: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail, "code": code or HTTPStatus(status).name.lower()}
    if path:
        body["instance"] = path
    if errors:
        body["errors"] = errors
    return Response(body, status=status, content_type=PROBLEM, headers=headers)


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception hook: every error a person can cause, as a problem; ours and Django's too."""
    request = context.get("request")
    path = request.path if request is not None else ""
    answer = _translate(exc, path)
    if answer is not None:
        set_rollback()
    return answer


def _translate(exc: Exception, path: str) -> Response | None:
    if isinstance(exc, InvalidWorkflow):
        return problem(400, "the workflow has problems", code=exc.code, path=path,
                       errors=[problem_of(item) for item in exc.problems])
    if isinstance(exc, OmniError):
        wait = exc.retry_after if isinstance(exc, RateLimited) else None
        return problem(_status(exc), exc.message, code=exc.code, path=path,
                       headers=None if wait is None else {"Retry-After": str(math.ceil(wait))},
                       errors=[{"pointer": _pointer(name), "detail": text}
                               for name, text in exc.details.items()])
    if isinstance(exc, ValidationError):
        exc = exceptions.ValidationError(getattr(exc, "message_dict", None) or exc.messages)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound(str(exc) or None)
    if isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, DataError):
        return problem(400, "a value does not fit its column (too long, out of range, or with a "
                       "character the database cannot keep)", code="bad_value", path=path)
    if isinstance(exc, IntegrityError):
        return problem(409, "somebody else wrote the same thing at the same moment; read it and "
                       "try again", code="conflict", path=path)
    if isinstance(exc, SuspiciousOperation):
        return problem(400, "the request has too many parts", code="bad_request", path=path)
    if isinstance(exc, OperationalError):
        logger.error("Database is not available.", extra={"path": path})
        return problem(503, "the database is not available; try again", code="unavailable",
                       path=path, headers={"Retry-After": "5"})
    if not isinstance(exc, exceptions.APIException):
        return None
    headers = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header
    if getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(exc.wait) + 1)
    errors = list(_flatten(exc.detail)) if isinstance(exc, exceptions.ValidationError) else None
    detail = "some fields are wrong" if errors else str(exc.detail)
    return problem(exc.status_code, detail, code=exc.default_code, errors=errors, path=path,
                   headers=headers)


def problem_of(item: Any) -> dict[str, Any]:
    """One problem of a workflow document, as the editor and the API show it."""
    return {"line": item.line, "column": item.column, "code": item.code, "detail": item.message,
            "suggestion": item.suggestion}


def _status(exc: OmniError) -> int:
    if isinstance(exc, InvalidInput):
        return 400
    if isinstance(exc, Unavailable | NotConfigured):
        return 503
    return 400


def _pointer(path: str) -> str:
    return "/" + path.replace(".", "/")


def _flatten(detail: Any, pointer: str = "") -> Any:
    if isinstance(detail, dict):
        for name, value in detail.items():
            step = "" if name in ("non_field_errors", "__all__") else f"/{name}"
            yield from _flatten(value, pointer + step)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            step = f"/{index}" if isinstance(value, dict | list) else ""
            yield from _flatten(value, pointer + step)
    else:
        yield {"pointer": pointer or "/", "detail": str(detail)}


class StrictFieldsMixin:
    """A serializer that answers 400 to fields it does not know, instead of ignoring them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = [name for name in data if name not in known]
            if unknown:
                raise exceptions.ValidationError(
                    dict.fromkeys(unknown, "unknown field"), code="unknown_field")
        return super().to_internal_value(data)


class StrictFiltersMixin:
    """A view that answers 400 to query parameters it does not know."""

    page_parameters = frozenset({"limit", "before", "after", "format"})

    def filter_queryset(self, queryset: Any) -> Any:
        filterset = getattr(self, "filterset_class", None)
        known = set(filterset.base_filters) if filterset else set()
        unknown = set(self.request.query_params) - known - self.page_parameters
        if unknown:
            raise exceptions.ValidationError(
                {name: f"unknown filter; known: {', '.join(sorted(known))}" for name in unknown})
        for name, values in self.request.query_params.lists():
            if any("\x00" in value for value in values):
                raise exceptions.ValidationError({name: "must not contain a NUL character"})
        return super().filter_queryset(queryset)


class KeysetPagination(BasePagination):
    """Pages by id: `?limit=`; newest first, `?before=<id>` goes back; `?after=<id>` goes forward,
    oldest first; both: the rows between them, forward.

    Never counts and never skips rows, so that page 1,000 costs what page 1 costs. Forward, a row
    is shown when no lower id can appear any more, so that who follows meets every row once; the
    last page before an id is known for the last as soon as nothing can appear below that id.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list:
        self.request = request
        limit = _number(request, "limit", default=PAGE_SIZE)
        self.limit = max(1, min(limit or PAGE_SIZE, PAGE_MAX))
        before, after = _number(request, "before"), _number(request, "after")
        if after is not None:
            settled = horizon.settled(queryset.model)
            end = settled if before is None else min(settled, before - 1)
            page = list(queryset.filter(pk__gt=after, pk__lte=end).order_by("pk")[:self.limit + 1])
            is_last = len(page) <= self.limit and before is not None and before - 1 <= settled
            page = page[:self.limit]
            self.next = {"after": page[-1].pk} if page and not is_last else None
            if self.next and before is not None:
                self.next["before"] = before
            self.previous = {"before": page[0].pk if page else min(after + 1, _ID_MAX)}
        else:
            if before is not None:
                queryset = queryset.filter(pk__lt=before)
            page = list(queryset.order_by("-pk")[:self.limit + 1])
            more, page = len(page) > self.limit, page[:self.limit]
            self.next = {"before": page[-1].pk} if more else None
            self.previous = {"after": page[0].pk} if before is not None and page else None
        return page

    def get_paginated_response(self, data: list) -> Response:
        return Response({
            "results": data,
            "next": self._link(self.next), "previous": self._link(self.previous)})

    def _link(self, cursor: dict[str, int] | None) -> str | None:
        if cursor is None:
            return None
        url = self.request.build_absolute_uri()
        for name in ("before", "after"):
            url = (replace_query_param(url, name, cursor[name]) if name in cursor
                   else remove_query_param(url, name))
        return url

    def get_paginated_response_schema(self, schema: dict) -> dict:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {"type": "object", "required": ["results", "next", "previous"], "properties": {
            "results": schema, "next": link, "previous": link}}

    def get_schema_operation_parameters(self, view: Any) -> list[dict]:
        return [{"name": name, "in": "query", "required": False, "description": text,
                 "schema": {"type": "integer"}} for name, text in (
                     ("limit", f"Rows a page, 1 to {PAGE_MAX}."),
                     ("before", "Rows older than this id, newest first."),
                     ("after", "Rows newer than it, oldest first; with before up to that id."))]


def _number(request: Any, name: str, *, default: int | None = None) -> int | None:
    """A whole number of the query; one too large for an id is clamped, another text is an error."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.lstrip("-").isdigit()):
        raise exceptions.ValidationError({name: "must be a whole number"})
    return max(-1, min(int(text[:25]), _ID_MAX))


def not_found(request: Any, exception: Exception | None = None) -> JsonResponse:
    """Django's 404 for addresses no view serves."""
    if lacks_slash(request):
        return _plain(404, f"this address ends with a slash: {request.path}/", request.path)
    return _plain(404, "there is nothing at this address", request.path)


def server_error(request: Any) -> JsonResponse:
    """Django's 500: fixed words, the facts are in the log."""
    return _plain(500, "something went wrong on our side; the log has the facts", request.path)


def _plain(status: int, detail: str, path: str) -> JsonResponse:
    return JsonResponse({
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail, "code": HTTPStatus(status).name.lower(), "instance": path},
        status=status, content_type=PROBLEM)
