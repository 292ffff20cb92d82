"""The database of an older version, as `manage.py up` of this one finds it: nothing is lost.

`before_the_rooms.sql.gz` was made by `make.py`, which says how, and is never made anew: it is what
people have. It holds accounts, keys, workflows that are switched on, runs that are asleep, an event
that no worker has seen, a delivery that became no event, and the schedule of the background tasks.
"""

import gzip
from collections.abc import Iterator
from pydoc import locate

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.urls import reverse
from django_q.models import Failure, Schedule
from rest_framework.test import APIClient

from connections.access import ApiKey
from connections.models import Instance, Secret
from events.models import Event, OutboxMessage, RawPayload
from registry.models import Approval, Run, WorkflowVersion
from tests.api_client import post_json
from tests.faults.peer import Peer
from tests.registry.runs import work
from tests.upgrade import make

OLDER = make.FOLDER / "before_the_rooms.sql.gz"
SAME = {"OMNI_ENCRYPTION_KEYS": [make.ENCRYPTION_KEY], "SECRET_KEY": make.SECRET_KEY}
CALLS = ["agents", "api-keys", "approvals", "bindings", "contact-lists", "contacts",
         "conversations", "event-actions", "events", "instances", "outbox", "raw-payloads", "runs",
         "secrets", "workflows"]
PAGES = [model for model in admin.site._registry
         if model._meta.app_label in ("connections", "events", "actions", "registry", "omni")]
MAKE_DUE = """
UPDATE omni_waits SET wake_at = omni_now() WHERE run_id = %(run)s AND wake_at IS NOT NULL;
UPDATE omni_runs SET available_at = omni_now(), burst_until = omni_now() WHERE id = %(run)s
"""


@pytest.fixture(scope="module", autouse=True)
def upgraded(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The older database beside the one of the other tests, prepared as `up` does it."""
    names = connection.settings_dict
    before, older = names["NAME"], f"{names['NAME']}_older"
    with django_db_blocker.unblock(), override_settings(**SAME):
        _do(f'DROP DATABASE IF EXISTS "{older}"', f'CREATE DATABASE "{older}"')
        connection.close()
        names["NAME"] = older
        try:
            _do(gzip.decompress(OLDER.read_bytes()).decode())
            connection.close()  # the dump empties the search path of its session
            call_command("prepare")
            yield
        finally:
            connection.close()
            names["NAME"] = before
            _do(f'DROP DATABASE "{older}" WITH (FORCE)')


def _do(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(autouse=True)
def same_keys(settings) -> None:
    """The installation keeps its secrets over the upgrade."""
    for name, value in SAME.items():
        setattr(settings, name, value)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """The server of the account `shop`."""
    found = Peer(seconds=0)
    shop = Instance.objects.get(slug="shop")
    shop.settings["base_url"] = found.url
    shop.save()
    yield found
    found.close()


@pytest.fixture
def api() -> APIClient:
    """A program that goes on with the key it has."""
    return APIClient(headers={"x-api-key": make.KEY})


def run_of(slug: str) -> Run:
    """The run of this workflow that was under way before the upgrade."""
    return Run.objects.filter(workflow__slug=slug).earliest("id")


def time_has_come_for(run: Run) -> None:
    with connection.cursor() as cursor:
        for statement in MAKE_DUE.split(";"):
            cursor.execute(statement, {"run": run.pk})
    work()
    run.refresh_from_db()


def deliver(api: APIClient, message_id: str, text: str, chat: str) -> int:
    """What the provider is answered that delivers a text."""
    return api.post("/webhooks/whatsapp_evolution/shop/", make.said(message_id, text, chat),
                    format="json", headers={"x-omni-secret": make.WEBHOOK_SECRET}).status_code


def test_run_that_slept_goes_on_in_its_time_with_its_inputs(peer):
    run = run_of("later")

    time_has_come_for(run)

    assert (run.state, peer.texts("")) == ("done", ["elapsed, said the old one"])


def test_burst_ends_with_all_that_came_before_the_upgrade(peer):
    run = run_of("burst")

    time_has_come_for(run)

    assert (run.state, peer.texts("")) == ("done", ["2 of a burst"])


def test_approval_is_answered_and_its_run_ends(peer):
    person = APIClient()
    person.force_login(get_user_model().objects.get(username="admin"))
    question, run = Approval.objects.get(), run_of("approved")

    answer = post_json(person, f"/api/v1/approvals/{question.pk}/answer/", {"decision": "approve"})
    work()
    run.refresh_from_db()

    assert (answer.status_code, run.state, peer.texts("")) == (200, "done", ["approve"])


def test_run_that_waits_for_an_answer_hears_it(api, peer):
    run = run_of("answered")

    status = deliver(api, "NEW1", "it is 1207", run.event.conversation_ref)
    work()
    run.refresh_from_db()

    assert (status, run.state, peer.texts("Thank")) == (202, "done", ["Thank you for 1207."])


def test_run_that_was_called_ends_and_its_caller_goes_on(peer):
    run = run_of("parent")

    time_has_come_for(Run.objects.get(parent=run))
    run.refresh_from_db()

    assert (run.state, peer.texts("")) == ("done", ["the child is done"])


def test_event_that_no_worker_saw_is_routed():
    work()

    event = Event.objects.get(dedup_key="m:OLDUNROUTED")
    assert event.routed_at and Run.objects.get(event=event).state == "waiting"


def test_message_that_is_delivered_again_is_known(api):
    assert deliver(api, "OLD0", "later", make.chat_of(0)) == 200
    assert Event.objects.filter(dedup_key="m:OLD0").count() == 1


def test_what_was_sent_is_not_sent_again(api, peer):
    answer = post_json(api, "/api/v1/messages/send/", make.SENT,
                       **{"idempotency-key": make.IDEMPOTENCY_KEY})

    assert answer.headers["Idempotency-Replayed"] == "true" and peer.sent == []
    assert OutboxMessage.objects.filter(effect_key__startswith="api:").count() == 1


def test_delivery_that_became_an_event_gives_the_same_one_again(api):
    event = Event.objects.get(dedup_key="m:OLD0")

    answer = post_json(api, f"/api/v1/events/{event.pk}/replay/", {"dry_run": False})

    assert answer.status_code == 200 and Event.objects.filter(raw_id=event.raw_id).count() == 1


def test_every_scheduled_job_is_found_and_does_its_work():
    """As django-q2 finds it: by the dotted name in its row."""
    stored = list(Schedule.objects.values_list("func", flat=True))

    jobs = {name: locate(name) for name in stored}

    assert len(jobs) == 2 and [name for name, job in jobs.items() if not callable(job)] == []
    for job in jobs.values():
        job()
    assert not Failure.objects.exists()


def test_every_published_workflow_is_still_right(api):
    versions = list(WorkflowVersion.objects.select_related("workflow"))

    answers = {version.workflow.slug: api.post("/api/v1/workflows/validate/", version.text,
                                               content_type="text/yaml").json()
               for version in versions}

    assert len(versions) > 12
    assert {slug: answer for slug, answer in answers.items() if not answer["valid"]} == {}


def test_credentials_and_secrets_are_opened():
    shop = Instance.objects.get(slug="shop")

    assert shop.credentials == {"api_key": make.PEER_KEY, "webhook_secret": make.WEBHOOK_SECRET}
    assert Secret.objects.get(name="crm").value == "made-up-secret-of-the-crm"
    assert ApiKey.objects.get(name="reader").instances.get() == shop


@pytest.mark.parametrize("name", CALLS)
def test_every_list_of_the_api_shows_its_rows(api, name):
    answer = api.get(f"/api/v1/{name}/")

    assert answer.status_code == 200 and answer.json()["results"]


def test_delivery_is_read_byte_for_byte_and_what_meant_nothing_is_kept(api):
    dead = RawPayload.objects.exclude(quarantine_reason="").get()
    event = Event.objects.get(dedup_key="m:OLD0")

    assert bytes(dead.body) == b"{" and dead.event_count == 0
    assert api.get(f"/api/v1/events/{event.pk}/raw/").status_code == 200


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label_lower)
def test_every_list_of_the_admin_shows_its_rows(client, model):
    client.force_login(get_user_model().objects.get(username="admin"))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"

    answer = client.get(reverse(name))

    assert answer.status_code == 200
