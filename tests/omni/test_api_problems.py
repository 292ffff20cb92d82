"""Hostile and mistaken requests: each is a problem that names what is wrong, never a 500."""

import json

import pytest

from connections.models import Instance
from tests.api_client import client_of
from tests.factories import make_event, make_instance

pytestmark = pytest.mark.django_db
LISTS = ["events", "event-actions", "raw-payloads", "conversations", "contacts", "outbox",
         "instances", "api-keys", "agents", "contact-lists", "workflows", "bindings", "runs"]
BY_ID = ["events", "event-actions", "raw-payloads", "conversations", "contacts", "outbox",
         "api-keys", "contact-lists", "runs"]
BAD_FILTERS = ["_connector", "_negated", "instance__secret__startswith", "instance__credentials",
               "payload__x__regex", "pk", "id__gt", "a.b", "x\x01y", "ordering", "offset"]


def assert_problem(answer, status, *pointers):
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    named = {error["pointer"] for error in body.get("errors", [])}
    assert set(pointers) <= named, body


@pytest.mark.parametrize("name", LISTS)
def test_page_size_is_clamped(name):
    client = client_of()

    for size in ("1" + "0" * 20, "1000000000", "-5", "0", "200"):
        answer = client.get(f"/api/v1/{name}/", {"limit": size})
        assert answer.status_code == 200 and set(answer.data) == {"results", "next", "previous"}


def test_page_is_never_longer_than_two_hundred():
    shop = make_instance()
    for _ in range(201):
        make_event(shop)

    answer = client_of("read").get("/api/v1/events/?limit=1000000000")

    assert len(answer.data["results"]) == 200 and answer.data["next"]


@pytest.mark.parametrize("name", LISTS)
def test_cursor_beyond_every_row_is_a_page(name):
    client = client_of()

    for cursor in ("1" + "0" * 23, "0", "-1"):
        for way in ("before", "after"):
            assert client.get(f"/api/v1/{name}/", {way: cursor}).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_every_unknown_filter_is_named(name):
    answer = client_of().get(f"/api/v1/{name}/", dict.fromkeys(BAD_FILTERS, "1"))

    assert_problem(answer, 400, *(f"/{field}" for field in BAD_FILTERS))


@pytest.mark.parametrize(("query", "pointer"), [
    ({"limit": "ten"}, "/limit"),
    ({"before": "1.5"}, "/before"),
    ({"q": "a\x00b"}, "/q"),
    ({"instance": "\x00"}, "/instance"),
    ({"q": " ".join(["word"] * 3000)}, "/q"),
    ({"q": "x" * 501}, "/q"),
    ({"event_type": "message.%"}, "/event_type"),
    ({"event_type": "(a+)+$"}, "/event_type"),
    ({"event_type": ",".join(["message.text"] * 33)}, "/event_type"),
    ({"since": "yesterday"}, "/since"),
    ({"until": "99999-01-01"}, "/until"),
    ({"direction": "sideways"}, "/direction"),
    ({"conversation": "abc"}, "/conversation"),
    ({"contact": "-1"}, "/contact"),
    ({"contact": "²"}, "/contact"),
    ({"action_outcome": "excellent"}, "/action_outcome"),
])
def test_wrong_value_of_a_filter_is_named(query, pointer):
    assert_problem(client_of("read").get("/api/v1/events/", query), 400, pointer)


@pytest.mark.parametrize("name", BY_ID)
def test_id_no_row_can_have_is_not_found(name):
    client = client_of()

    for row in ("1" + "0" * 23, "9" * 5000, "-1", "abc", "0x10", "1e3", "' OR 1"):
        assert_problem(client.get(f"/api/v1/{name}/{row}/"), 404)


@pytest.mark.parametrize("name", ["instances", "workflows", "agents"])
@pytest.mark.parametrize("slug", ["nowhere", "' OR 1=1--", "x" * 5000, "%2e%2e%2f"])
def test_slug_no_row_has_is_not_found(name, slug):
    assert_problem(client_of().get(f"/api/v1/{name}/{slug}/"), 404)


@pytest.mark.parametrize("address", ["instances/%00/", "workflows/%00/", "agents/a%00b/",
                                     "events/%00/"])
def test_nul_in_an_address_is_no_error_of_ours(address):
    answer = client_of().get(f"/api/v1/{address}")

    assert answer.status_code in (400, 404)


@pytest.mark.parametrize(("address", "method", "body"), [
    ("instances", "post", {"slug": "a", "name": "A", "provider": "webhook"}),
    ("api-keys", "post", {"name": "a", "scopes": ["read"]}),
    ("agents", "post", {"slug": "a", "name": "A"}),
    ("contact-lists", "post", {"name": "a"}),
    ("messages/send", "post", {"instance": "shop", "to": "x", "text": "y"}),
    ("workflows", "post", {"text": "omni: 1"}),
    ("workflows/validate", "post", {"text": "omni: 1"}),
    ("bindings", "put", {"workflow": "a", "scope": {"global": True}}),
])
def test_every_unknown_field_of_a_body_is_named(address, method, body):
    make_instance()
    client = client_of()
    foreign = dict.fromkeys(("id", "created_by", "is_superuser", "approved", "instance_id"), 1)

    answer = getattr(client, method)(f"/api/v1/{address}/", {**body, **foreign}, format="json")

    assert_problem(answer, 400, *(f"/{field}" for field in foreign))


@pytest.mark.parametrize("body", [
    b'{"slug": 1}x', b"{'slug': 1}", b"\xff", b'{"slug": NaN}', b'{"slug": "a", "slug": "b"}',
    b'{"name": "\\u0000"}', b'{"name": "\\ud800"}', b"[" * 5000, b"[" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"slug": ' + b"9" * 4301 + b"}",
    json.dumps({"settings": {str(n): n for n in range(200_000)}}).encode(),
    b"[]", b"1", b'"x"', b"null", "{}".encode("utf-16"),
], ids=lambda body: repr(body[:18]))
def test_hostile_json_is_a_problem(body):
    answer = client_of("admin").post("/api/v1/instances/", body, content_type="application/json")

    assert_problem(answer, 400)
    assert not Instance.objects.exists()


@pytest.mark.parametrize("settings_", [{"a": "b\\u0000"}, {"a": "\\ud800"}])
def test_text_no_column_can_keep_is_refused_inside_json(settings_):
    body = json.dumps({"slug": "a", "name": "A", "provider": "webhook", "settings": settings_})

    answer = client_of("admin").post("/api/v1/instances/", body.replace("\\\\", "\\"),
                                     content_type="application/json")

    assert_problem(answer, 400)


@pytest.mark.parametrize("content_type", ["application/xml", "multipart/form-data",
                                          "application/x-www-form-urlencoded", "text/plain"])
def test_body_of_another_type_is_refused(content_type):
    answer = client_of("admin").post("/api/v1/instances/", b"a=1", content_type=content_type)

    assert_problem(answer, 415)


def test_body_over_the_limit_is_refused(settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000

    answer = client_of("admin").post("/api/v1/instances/", b" " * 1001,
                                     content_type="application/json")

    assert_problem(answer, 413)


@pytest.mark.parametrize("name", LISTS)
def test_nothing_is_deleted_or_replaced_at_a_list(name):
    client = client_of()

    assert_problem(client.delete(f"/api/v1/{name}/"), 405)
    if name != "bindings":
        assert_problem(client.put(f"/api/v1/{name}/", {}, format="json"), 405)


@pytest.mark.parametrize("headers", [
    {}, {"x-api-key": ""}, {"x-api-key": "omni_00000000_wrong"}, {"x-api-key": "x" * 9000},
    {"authorization": "Bearer "}, {"authorization": "Bearer nonsense"},
    {"authorization": "Basic YTpi"}, {"x-api-key": "a\x01b"},
])
def test_missing_or_wrong_key_is_unauthorized(client, headers):
    answer = client.get("/api/v1/events/", headers=headers)

    assert_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "ApiKey"


@pytest.mark.parametrize("place", ["api_key", "x-api-key", "key", "token"])
def test_key_in_the_address_proves_nothing(client, place):
    from tests.factories import make_key

    assert_problem(client.get("/api/v1/events/", {place: make_key()}), 401)


def test_markup_in_a_value_comes_back_as_json_only():
    make_event(make_instance(), text="<script>alert(1)</script>")

    answer = client_of("read").get("/api/v1/events/?q=<script>", headers={"accept": "text/html"})

    assert answer.headers["Content-Type"] in ("application/json", "application/problem+json")
