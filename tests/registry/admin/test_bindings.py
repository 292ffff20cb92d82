"""The pages that switch a workflow on for accounts."""

import pytest
from django.urls import reverse

from omni.audit import AuditEntry
from registry.models import Binding
from registry.versions import bindings, publishing
from tests.admin_world import WORKFLOW, sign_in
from tests.factories import make_instance, make_workflow
from tests.registry.admin.test_admin import form_of, page

pytestmark = pytest.mark.django_db
WITH_INPUTS = WORKFLOW.replace("trigger:", """\
inputs:
  hours: {type: text, required: true, description: When you are open.}
  most: {type: integer, default: 3}
  tone: {type: choice, choices: [warm, plain], default: warm}
  loud: {type: boolean, default: false}
  words: {type: list}
  desk: {type: contact}
trigger:""")


@pytest.fixture
def greeter():
    return make_workflow(WITH_INPUTS)


@pytest.fixture
def shop():
    return make_instance(name="Flower shop")


def switch_on(client, workflow, **fields):
    return client.post(reverse("admin:registry_workflow_bindings", args=[workflow.pk]), {
        "scope": "instance", "enabled": "on", "input_hours": "nine to five", **fields},
        follow=True).content.decode()


def change(client, binding, **fields):
    return client.post(reverse("admin:registry_workflow_binding", args=[
        binding.workflow_id, binding.pk]), fields, follow=True).content.decode()


def test_workflow_is_switched_on_for_several_accounts_with_inputs_of_their_kind(greeter, shop):
    desk = make_instance("desk")

    shown = switch_on(sign_in(), greeter, instances=["shop", "desk"], input_most="5",
                      input_tone='"plain"', input_loud="true", input_words='["a"]',
                      input_desk="12")

    assert {row.instance for row in Binding.objects.all()} == {shop, desk}
    assert Binding.objects.first().inputs == {
        "hours": "nine to five", "most": 5, "tone": "plain", "loud": True, "words": ["a"],
        "desk": 12}
    assert "greeter is on for shop; greeter is on for desk." in shown.replace(
        "greeter is on for desk; greeter is on for shop.",
        "greeter is on for shop; greeter is on for desk.")


@pytest.mark.parametrize(("fields", "said"), [
    ({}, "Choose at least one account."), ({"scope": "provider"}, "Choose a provider."),
    ({"scope": "provider", "provider": "whatsap"}, "whatsap is not one of the available choices"),
    ({"instances": "shop", "input_hours": ""}, "is required; give text"),
    ({"instances": "shop", "input_most": "many"}, "Enter a whole number."),
    ({"instances": "shop", "input_words": "[a"}, "Enter a valid JSON."),
    ({"instances": "shop", "priority": "5000"}, "less than or equal to 999")])
def test_wrong_field_is_said_there_and_what_was_typed_stays(greeter, shop, fields, said):
    shown = switch_on(sign_in(), greeter, **{"input_desk": "+49123", **fields})

    assert said in shown and 'value="+49123"' in shown
    assert "is on for" not in shown and not Binding.objects.exists()
    assert not AuditEntry.objects.filter(action="binding.saved").exists()


def test_several_accounts_are_all_bound_or_none(greeter, shop):
    make_instance("desk")
    text = greeter.draft.replace("hours: {type: text, required: true,", "hours: {type: text,")
    publishing.import_text(text, actor="test")
    bindings.bind(greeter, scope="instance", instance=shop, actor="test", inputs={"most": 9})

    shown = switch_on(sign_in(), greeter, instances=["desk", "shop"])

    assert "There is an entry for shop already; change that one." in shown
    assert Binding.objects.get().inputs == {"most": 9}


def test_provider_is_chosen_from_those_there_are(greeter, shop):
    switch_on(sign_in(), greeter, scope="provider", provider="webhook")

    assert Binding.objects.get().provider == "webhook"


def test_switching_off_keeps_the_inputs(greeter, shop):
    binding = bindings.bind(greeter, scope="instance", instance=shop, actor="test",
                            inputs={"hours": "always", "desk": 12, "loud": True})

    shown = change(sign_in(), binding, input_hours="always", input_desk="12", input_loud="true")

    binding.refresh_from_db()
    assert "greeter is off for shop." in shown and not binding.enabled
    assert binding.inputs == {"hours": "always", "desk": 12, "loud": True}


def test_ended_binding_is_gone_and_noted(greeter, shop):
    binding = bindings.bind(greeter, scope="instance", instance=shop, actor="test", enabled=False)

    change(sign_in(), binding, _end="1")

    assert not Binding.objects.exists()
    assert AuditEntry.objects.filter(action="binding.removed").exists()


def test_saving_a_draft_switches_nothing_on(greeter, shop):
    sign_in().post(page(greeter), form_of(greeter, greeter.draft + "# new\n", **{
        "bindings-TOTAL_FORMS": "1", "bindings-INITIAL_FORMS": "0", "bindings-0-scope": "global",
        "bindings-0-enabled": "on", "bindings-0-inputs": "{}"}))

    assert not Binding.objects.exists()


def test_published_workflow_that_is_on_nowhere_says_so_and_offers_accounts(greeter, shop):
    shown = sign_in().post(page(greeter), form_of(
        greeter, greeter.draft + "# new\n", _publish="1"), follow=True).content.decode()

    assert "greeter is on nowhere" in shown
    assert f"/admin/registry/workflow/{greeter.pk}/bindings/?instance=shop" in shown


def test_offered_account_with_an_entry_leads_to_it(greeter, shop):
    binding = bindings.bind(greeter, scope="instance", instance=shop, actor="test", enabled=False)

    answer = sign_in().get(reverse("admin:registry_workflow_bindings", args=[greeter.pk]),
                           {"instance": "shop"})

    assert answer["location"] == reverse("admin:registry_workflow_binding",
                                         args=[greeter.pk, binding.pk])


def test_paused_workflow_says_so_in_the_list_and_on_its_page(greeter):
    client = sign_in()
    client.post(page(greeter, "do", "pause"))

    for address in (reverse("admin:registry_workflow_changelist"), page(greeter)):
        assert 'omni-tag omni-paused">paused' in client.get(address).content.decode()


def test_author_of_one_instance_switches_nothing_on_in_the_admin(greeter, shop):
    client = sign_in(grants=[(shop, ["read", "workflows"])], name="ana")

    answer = client.post(reverse("admin:registry_workflow_bindings", args=[greeter.pk]),
                         {"scope": "global", "enabled": "on"})

    assert answer.status_code == 403 and not Binding.objects.exists()
