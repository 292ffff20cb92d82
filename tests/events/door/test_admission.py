"""What is decided about a delivery before its body is read."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connections.adapter import Answer
from connections.models import Instance
from events.door.admission import Admitted, admit, announced
from events.models import Knock
from omni.config.remembered import Remembered
from tests.factories import SECRET, make_delivery, make_instance, make_webhook

pytestmark = pytest.mark.django_db
TOKEN = {"x-webhook-token": SECRET}


def admitted(slug="shop", size=None, **headers):
    return admit(make_delivery(b"", headers={name.replace("_", "-"): value
                                             for name, value in headers.items()}),
                 provider="webhook", slug=slug, size=size)


def test_token_in_the_head_is_the_whole_proof():
    make_webhook()

    assert admitted(**TOKEN).proof == "header x-webhook-token key 1"


@pytest.mark.parametrize(("verification", "headers", "reason"), [
    ("hub_signature", {}, "X-Hub-Signature-256 is missing"),
    ("standard_webhooks", {}, "webhook-id is missing"),
    ("standard_webhooks", {"webhook_id": "1", "webhook_timestamp": "1", "webhook_signature": "v1,"},
     "s old")])
def test_signature_no_body_could_fit_is_refused_by_its_head(verification, headers, reason):
    make_instance("shop", settings={"verification": verification},
                  credentials={"secret": "whsec_" + "YWJj" * 8})

    answer = admitted(**headers)

    assert isinstance(answer, Answer) and answer.status == 401
    assert reason in Knock.objects.get().detail


def test_signature_over_the_body_waits_for_the_body():
    make_instance("shop", settings={"verification": "hub_signature"},
                  credentials={"secret": "a long random text"})

    found = admitted(x_hub_signature_256="sha256=00")

    assert isinstance(found, Admitted) and found.proof == ""


def test_length_over_the_cap_is_refused_before_the_proof(settings):
    settings.OMNI_WEBHOOK_MAX_BYTES = 1000
    make_webhook()

    assert admitted(size=1001).status == 413
    assert isinstance(admitted(size=1000, **TOKEN), Admitted)


def test_body_of_a_chat_may_be_no_larger_than_a_frame():
    make_instance("desk", "webchat", credentials={"secret": "a long random text"})

    answer = admit(make_delivery(b""), provider="webchat", slug="desk", size=13_000_000)

    assert answer.status == 413


@pytest.fixture
def remembering(settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60


def looked_up(queries):
    return sum("FROM \"omni_instances\"" in query["sql"] for query in queries)


def test_unknown_address_is_looked_up_once(remembering):
    with CaptureQueriesContext(connection) as seen:
        answers = [admitted("nobody").status for _ in range(5)]

    assert answers == [404] * 5 and looked_up(seen) == 1


def test_instance_that_was_missing_is_there_once_it_is_made(remembering):
    admitted("shop")
    make_webhook()

    assert isinstance(admitted(**TOKEN), Admitted)


@pytest.mark.django_db(transaction=True)
def test_many_unknown_addresses_do_not_push_out_a_known_one(remembering, monkeypatch):
    monkeypatch.setattr("connections.models._known", Remembered("instances", most=10))
    make_webhook()
    admitted(**TOKEN)
    for number in range(25):
        admitted(f"nobody-{number}")

    with CaptureQueriesContext(connection) as seen:
        admitted(**TOKEN)
    assert looked_up(seen) == 0


@pytest.mark.parametrize("slug", ["SHOP", "a b", "../x", "x" * 64])
def test_what_could_be_no_slug_is_not_looked_up(slug):
    with CaptureQueriesContext(connection) as seen:
        assert admitted(slug).status == 404
    assert looked_up(seen) == 0


@pytest.mark.parametrize(("given", "size"), [
    ("12", 12), ("", None), ("-1", None), ("1.5", None), ("²", None), ("9" * 30, None)])
def test_announced_length_is_a_number_or_none(given, size):
    assert announced({"content-length": given}) == size


def test_settings_that_no_longer_fit_ask_to_try_later():
    make_webhook()
    Instance.objects.update(settings={"nonsense": 1})

    assert admitted(**TOKEN).status == 503
