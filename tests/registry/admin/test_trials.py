"""The page that tries a draft: what it shows, and to whom."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from connections.access import principal_of
from registry.models import Run
from registry.trials import jobs
from registry.versions import drafts
from tests.admin_world import sign_in
from tests.factories import make_event, make_instance, make_workflow

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greet
claim: reply
trigger: [{event: message.text, where: event.text}]
steps:
  - {id: reply, uses: route.reply, with: {text: "Hello <${{ event.text }}>"}}
"""


@pytest.fixture
def shop():
    return make_instance()


def page(workflow):
    return reverse("admin:registry_workflow_try", args=[workflow.pk])


def tried(client, workflow, event, **fields):
    return client.post(page(workflow), {"event": event, **fields}).content.decode()


def test_page_of_a_workflow_leads_to_its_trial():
    workflow = make_workflow(TEXT)

    text = sign_in().get(reverse("admin:registry_workflow_change",
                                 args=[workflow.pk])).content.decode()

    assert f'href="{page(workflow)}"' in text


def test_trial_shows_what_would_go_out_and_every_value(shop):
    event = make_event(shop, text="Ana", conversation_ref="place")

    text = tried(sign_in(), make_workflow(TEXT), event.pk)

    assert "It matches, and ends as done" in text
    assert "Hello &lt;Ana&gt;" in text and "Hello <Ana>" not in text
    assert "recorded" in text and "steps[0].with.text" in text and "&quot;Ana&quot;" in text
    assert not Run.objects.exists()


def test_clause_that_says_no_is_shown():
    text = tried(sign_in(), make_workflow(TEXT), "message.audio")

    assert "It does not match" in text and "no trigger takes message.audio" in text


@pytest.mark.parametrize("event", ["77", "message.txt", ""])
def test_event_that_is_none_is_told(event):
    text = tried(sign_in(), make_workflow(TEXT), event)

    assert "errorlist" in text and "It matches" not in text


def test_errors_of_the_draft_are_listed():
    workflow = make_workflow(TEXT)
    drafts.save_draft(TEXT.replace("uses:", "usez:"), actor="test")

    assert "The draft has errors" in tried(sign_in(), workflow, "message.text")


def test_events_of_other_instances_are_not_there(shop):
    event = make_event(shop, text="secret")
    client = sign_in(grants=[(make_instance("other"), ["read", "workflows"])])

    text = tried(client, make_workflow(TEXT), event.pk)

    assert "There is no such event" in text and "secret" not in text


def test_people_who_only_read_cannot_try(shop):
    workflow = make_workflow(TEXT)
    client = sign_in(grants=[(shop, ["read"])])

    assert client.get(page(workflow)).status_code == 403


def test_person_with_too_many_trials_is_told_the_limit(settings):
    workflow = make_workflow(TEXT)
    client = sign_in()
    who = principal_of(get_user_model().objects.get(pk=client.session["_auth_user_id"]))
    for _ in range(6):
        jobs.queue("trial", "{}", who, workflow="greet")
    settings.OMNI_GROUP_COMMIT = True

    assert "6 trials and tests of workflows of yours" in tried(client, workflow, "message.text")
