"""What a new installation starts with, and that starting again changes nothing."""

import pytest
from django.contrib.auth import get_user_model

from actions.models import Agent
from connections.access import ApiKey
from connections.models import Instance
from registry.models import Binding, Workflow
from registry.versions import drafts, publishing, seed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def bare(settings):
    """No rows, and nothing chosen by the environment."""
    settings.OMNI_ADMIN_PASSWORD = settings.OMNI_BOOTSTRAP_API_KEY = ""
    for model in (Binding, ApiKey, Instance, Agent):
        model.objects.all().delete()


def test_new_installation_has_an_admin_a_key_an_agent_and_a_chat():
    lines = seed.seed()

    admin = get_user_model().objects.get(is_superuser=True)
    assert admin.check_password(lines[0].split()[-1])
    assert ApiKey.objects.get().scopes == ["admin"] and lines[1].startswith("API key: ")
    assert Instance.objects.get().provider == "webchat" and lines[2].endswith("/chat/chat/")
    assert Agent.objects.get().kind == "builtin"


def test_every_playbook_is_published_and_three_are_switched_on():
    made = seed.load_playbooks()

    assert made == sorted(path.stem for path in seed.PLAYBOOKS.glob("*.yaml"))
    for workflow in Workflow.objects.filter(slug__in=made):
        assert workflow.latest().number == 1
        assert not [problem for problem in drafts.problems(workflow.draft)
                    if problem.severity == "error"]
    assert set(Binding.objects.values_list("workflow__slug", "scope")) == {
        ("ignore-self", "global"), ("text-reply", "global"), ("whatsapp-default-reply", "global")}


def test_seeding_again_adds_nothing_and_shows_no_secret():
    seed.seed()
    before = [model.objects.count() for model in (Workflow, Binding, ApiKey, Instance, Agent)]

    assert seed.seed() == []

    assert [model.objects.count() for model in (Workflow, Binding, ApiKey, Instance, Agent)] == (
        before)


def test_playbook_that_people_changed_is_left_alone():
    seed.load_playbooks()
    Binding.objects.filter(workflow__slug="text-reply").update(enabled=False)
    text = Workflow.objects.get(slug="text-reply").draft.replace("priority: 900", "priority: 1")
    publishing.import_text(text, actor="user:ana")

    seed.load_playbooks()

    workflow = Workflow.objects.get(slug="text-reply")
    assert workflow.draft == text and not workflow.bindings.get().enabled


def test_secrets_of_the_environment_are_used_and_not_shown(settings):
    settings.OMNI_ADMIN_PASSWORD = "chosen-by-people"
    settings.OMNI_BOOTSTRAP_API_KEY = ApiKey.issue("mould", scopes=["admin"])[1]
    ApiKey.objects.all().delete()

    lines = seed.seed()

    said = "\n".join(lines)
    assert "chosen-by-people" not in said and settings.OMNI_BOOTSTRAP_API_KEY not in said
    assert get_user_model().objects.get().check_password("chosen-by-people")
    assert ApiKey.objects.get().name == "bootstrap"
