"""The panel "Tests" of a workflow's page, and publishing although they fail."""

import pytest
from django.urls import reverse

from omni.audit import AuditEntry
from registry.models import Workflow
from registry.versions import drafts
from registry.versions.seed import load_playbooks
from tests.admin_world import sign_in
from tests.registry.admin.test_admin import form_of, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def reply():
    load_playbooks()
    return Workflow.objects.get(slug="text-reply")


@pytest.fixture
def changed(reply):
    """The playbook with another text, which its own tests do not expect."""
    return reply.draft.replace("text: ${{ steps.agent.output.text }}",
                               "text: Bye. ${{ steps.agent.output.text }}")


def publish(client, workflow, text, **fields):
    workflow.refresh_from_db()
    form = form_of(workflow, text, **fields)
    return client.post(page(workflow), form, follow=True).content.decode()


def test_failing_tests_are_listed_after_a_refused_publishing(reply, changed):
    shown = publish(sign_in(), reply, changed, _publish="1", publish_note="a kinder end")

    line = changed.splitlines().index(
        '      sends: [{to: "+351922000002", text: Hello Ana!}]') + 1
    assert "Not published: what its tests expect did not come" in shown
    assert f'data-line="{line}"' in shown
    assert "1 of 4 failed" in shown and "Bye. Hello Ana!" in shown
    assert 'value="a kinder end"' in shown


def test_failing_tests_are_still_there_after_a_reload(reply, changed):
    client = sign_in()
    publish(client, reply, changed, _publish="1")

    assert "1 of 4 failed" in client.get(page(reply)).content.decode()


def test_results_of_another_text_are_not_shown(reply, changed):
    client = sign_in()
    publish(client, reply, changed, _publish="1")
    drafts.save_draft(changed + "# by somebody else\n", actor="user:ana")

    shown = client.get(page(reply)).content.decode()

    assert "1 of 4 failed" not in shown and "Not run since the last change." in shown


def test_tests_are_run_without_publishing(reply, changed):
    shown = publish(sign_in(), reply, changed, _tests="1")

    assert "4 tests, 1 failed" in shown and reply.latest().number == 1


def test_passing_tests_are_said_to_pass(reply):
    assert "4 tests, 0 failed" in publish(sign_in(), reply, reply.draft, _tests="1")


def test_publishing_anyway_needs_a_reason(reply, changed):
    shown = publish(sign_in(), reply, changed, _publish_anyway="1", publish_reason=" ")

    assert "say why it goes out although tests fail" in shown and "1 of 4 failed" in shown
    assert reply.latest().number == 1


def test_publishing_anyway_is_in_the_version_list_and_the_audit_log(reply, changed):
    publish(sign_in(), reply, changed, _publish_anyway="1", publish_reason="the new greeting")

    version = reply.latest()
    facts = AuditEntry.objects.filter(action="workflow.published").latest("pk").facts
    assert (version.number, version.note) == (2, "the new greeting")
    assert (facts["tests"], facts["why"]) == ("skipped", "the new greeting")


def test_publishing_anyway_does_not_publish_errors(reply, changed):
    shown = publish(sign_in(), reply, changed.replace("trigger:", "triger:"), _publish_anyway="1",
                    publish_reason="I want it")

    assert "Not published" in shown and reply.latest().number == 1


def test_document_with_errors_is_not_tried(reply, changed):
    shown = publish(sign_in(), reply, changed.replace("trigger:", "triger:"), _tests="1")

    assert "The tests were not run" in shown


def test_reader_is_offered_no_tests(reply):
    client = sign_in(grants=[(None, ["read"])], name="ana")

    assert "omni-tests" not in client.get(reverse(
        "admin:registry_workflow_change", args=[reply.pk])).content.decode()
