"""No page of the admin puts a form inside a form: a browser drops the inner one without a word."""

from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from connections.access import ApiKey
from omni.admin.pages import VerbsMixin
from registry.models import Approval, Wait
from registry.versions import bindings
from tests.admin_world import make_surroundings, make_world, sign_in
from tests.factories import make_run

pytestmark = pytest.mark.django_db
OURS = {"omni", "connections", "events", "actions", "registry", "auth"}
MODELS = {f"{model._meta.app_label}_{model._meta.model_name}": model
          for model in admin.site._registry if model._meta.app_label in OURS}
# Pages of one row beside its own: (list name, the page's name, what its address takes).
MORE = ["registry_workflow_try", "registry_workflow_bindings",
        "registry_workflowversion_compare"]


class Forms(HTMLParser):
    """Counts how deep forms stand in each other, as they are written."""

    def __init__(self, text):
        super().__init__()
        self.depth = self.deepest = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.depth += tag == "form"
        self.deepest = max(self.deepest, self.depth)

    def handle_endtag(self, tag):
        self.depth -= tag == "form"


def deepest(answer):
    assert answer.status_code == 200
    return Forms(answer.content.decode()).deepest


@pytest.fixture
def world():
    found = make_world()
    make_surroundings()
    ApiKey.issue("backup", scopes=["read"])
    Group.objects.create(name="desk")
    return found


def row_of(world, model):
    """A row on which everything the page can offer is offered."""
    if model is not Approval:
        return model._default_manager.first()
    run = make_run(world.event, workflow=world.workflow, replay_no=1, state="waiting")
    wait = Wait.objects.create(run=run, instance=world.instance, path="steps[0]", kind="approval",
                               created_at=timezone.now())
    return Approval.objects.create(run=run, wait=wait, instance=world.instance, event=world.event,
                                   ask="Send it?", show="hello", of=["user:boss"], state="open",
                                   created_at=timezone.now())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_list_has_no_form_in_a_form(world, name):
    assert deepest(sign_in().get(reverse(f"admin:{name}_changelist"))) <= 1


@pytest.mark.parametrize("name", sorted(MODELS))
def test_page_of_one_row_has_no_form_in_a_form(world, name):
    client = sign_in()
    row = row_of(world, MODELS[name])

    assert row is not None
    assert deepest(client.get(reverse(f"admin:{name}_change", args=[row.pk]))) <= 1


@pytest.mark.parametrize("name", sorted(MODELS))
def test_page_of_a_new_row_has_no_form_in_a_form(world, name):
    answer = sign_in().get(reverse(f"admin:{name}_add"))

    assert answer.status_code == 403 or deepest(answer) <= 1


@pytest.mark.parametrize("name", sorted(
    name for name, model in MODELS.items() if isinstance(admin.site._registry[model], VerbsMixin)))
def test_question_of_a_verb_has_no_form_in_a_form(world, name):
    page, row, client = admin.site._registry[MODELS[name]], row_of(world, MODELS[name]), sign_in()

    for verb in page.verbs():
        if row is not None and (verb.confirm or verb.ask):
            assert deepest(client.get(reverse(f"admin:{name}_do", args=[row.pk, verb.name]))) <= 1


@pytest.mark.parametrize("action", ["replay_dry", "put_chosen_aside"])
def test_answer_of_a_list_action_has_no_form_in_a_form(world, action):
    answer = sign_in().post(reverse("admin:events_rawpayload_changelist"),
                            {"action": action, "_selected_action": [world.raw.pk]})

    assert deepest(answer) == 1


def test_page_of_a_binding_has_no_form_in_a_form(world):
    binding = bindings.bind(world.workflow, scope="global", actor="test")

    assert deepest(sign_in().get(reverse("admin:registry_workflow_binding", args=[
        world.workflow.pk, binding.pk]))) == 1


@pytest.mark.parametrize("name", MORE)
def test_page_of_its_own_has_no_form_in_a_form(world, name):
    row = world.workflow.latest() if "version" in name else world.workflow

    assert deepest(sign_in().get(reverse(f"admin:{name}", args=[row.pk]))) <= 1
