"""The two pages: who may see them, who a visitor is, and how files are served."""

import base64
import json

import pytest
from django.contrib.auth.models import User

from connections.providers.webchat import visitors
from events.models import Attachment
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
SECRET = "a long random text"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.fixture
def desk():
    return make_instance("desk", "webchat", credentials={"secret": SECRET})


def test_visitor_gets_a_token_only_the_browser_can_read(client, desk):
    answer = client.get("/chat/desk/")

    cookie = answer.cookies["omni_chat_desk"]
    assert visitors.visitor_of(cookie.value, slug="desk", secret=SECRET)
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_visitor_who_comes_back_keeps_the_token(client, desk):
    client.get("/chat/desk/")

    assert "omni_chat_desk" not in client.get("/chat/desk/").cookies


def test_changed_secret_gives_the_visitor_a_new_token(client, desk):
    client.get("/chat/desk/")
    desk.credentials = {"secret": "another secret"}
    desk.save()

    assert "omni_chat_desk" in client.get("/chat/desk/").cookies


def test_chat_without_a_secret_is_closed_and_says_why(client):
    make_instance("desk", "webchat")

    answer = client.get("/chat/desk/")

    assert answer.status_code == 503 and "credentials.secret" in answer.content.decode()


@pytest.mark.parametrize("slug", ["nowhere", "shop"])
def test_chat_of_no_web_chat_does_not_exist(client, slug):
    make_instance("shop", "webhook")

    assert client.get(f"/chat/{slug}/").status_code == 404


@pytest.mark.parametrize("path", ["/chat/desk/", "/live/"])
def test_page_holds_no_script_of_its_own_and_asks_no_other_host(client, desk, path):
    client.force_login(User.objects.create_superuser("ana"))

    page = client.get(path)

    text = page.content.decode()
    assert "<script>" not in text and "style=" not in text and "onclick" not in text
    assert "http://" not in text and "https://" not in text
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]


def test_name_of_an_instance_is_text_on_its_page(client):
    make_instance("desk", "webchat", name="<img src=x onerror=alert(1)>",
                  credentials={"secret": SECRET})

    assert "<img src=x" not in client.get("/chat/desk/").content.decode()


@pytest.mark.parametrize(("user", "status"), [
    (None, 302), ({"is_staff": False}, 302), ({"is_staff": True}, 200)])
def test_live_view_is_for_staff(client, user, status):
    if user is not None:
        client.force_login(User.objects.create_user("ana", **user))

    assert client.get("/live/").status_code == status


def test_live_view_names_only_the_instances_a_person_sees(client, desk):
    client.force_login(User.objects.create_user("ana", is_staff=True))

    assert "Desk" not in client.get("/live/").content.decode()


def send_file(client, *, mime="image/png", name="cat.png", data=PNG):
    """A message with one file from the client's own visitor; the attachment it became."""
    client.get("/chat/desk/")
    token = client.cookies["omni_chat_desk"].value
    frame = {"type": "file", "id": "1", "visitor": token.partition(".")[0],
             "files": [{"name": name, "mime": mime, "base64": data}]}
    answer = client.post("/webhooks/webchat/desk/", json.dumps(frame), "application/json",
                         headers={"x-omni-visitor": token})
    assert answer.status_code == 202, answer.content
    return Attachment.objects.get()


def test_file_of_the_own_conversation_is_shown(client, desk):
    file = send_file(client)

    answer = client.get(f"/chat/desk/files/{file.pk}/")

    assert b"".join(answer) == base64.b64decode(PNG) and answer["Content-Type"] == "image/png"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_file_of_a_foreign_conversation_does_not_exist(client, desk):
    file = send_file(client)
    client.cookies.clear()
    client.get("/chat/desk/")

    assert client.get(f"/chat/desk/files/{file.pk}/").status_code == 404


@pytest.mark.parametrize("mime", ["text/html", "image/svg+xml", "application/pdf",
                                  "image/png\r\nX-Evil: 1", "text/html; x=image/png"])
def test_file_a_browser_could_run_is_only_offered_for_saving(client, desk, mime):
    file = send_file(client, mime=mime, name="../../etc/p\r\nwd.html")

    answer = client.get(f"/chat/desk/files/{file.pk}/")

    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment") and "/" not in (
        answer["Content-Disposition"])


def test_file_whose_bytes_are_no_base64_does_not_exist(client, desk):
    file = send_file(client, data="not base64!")

    assert client.get(f"/chat/desk/files/{file.pk}/").status_code == 404


def test_file_whose_host_is_busy_is_to_be_asked_for_later(client, desk, httpserver):
    httpserver.expect_request("/cat.png").respond_with_data(
        b"", status=429, headers={"retry-after": "1.5"})
    file = send_file(client)
    Attachment.objects.update(inline_path=None, source_url=httpserver.url_for("/cat.png"))

    answer = client.get(f"/chat/desk/files/{file.pk}/")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
