import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from registry.admin.forms import NEW_TEXT
from registry.models import Run, Workflow
from registry.versions import drafts, publishing
from tests.admin_world import WORKFLOW, make_world, sign_in
from tests.factories import make_instance, make_workflow

pytestmark = pytest.mark.django_db
ADD = "/admin/registry/workflow/add/"
IMPORT = "/admin/registry/workflow/import/"
BROKEN = WORKFLOW.replace("trigger:", "triger:")


def page(row, name="change", *more):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}",
                   args=[row.pk, *more])


def form_of(workflow, text, **fields):
    return {"draft": text, "base_revision": workflow.revision, "_continue": "1", **fields}


@pytest.fixture
def greeter():
    return make_workflow(WORKFLOW)


def test_text_of_a_new_workflow_has_no_problems():
    assert drafts.problems(NEW_TEXT) == []


def test_new_workflow_is_stored_under_the_id_in_its_document():
    answer = sign_in().post(ADD, {"draft": WORKFLOW, "_continue": "1"})

    made = Workflow.objects.get()
    assert answer.status_code == 302 and answer["location"] == page(made)
    assert (made.slug, made.draft) == ("greeter", WORKFLOW)


def test_new_workflow_does_not_replace_one_with_its_id(greeter):
    answer = sign_in().post(ADD, {"draft": WORKFLOW.replace("stop: done", "stop: failed")})

    greeter.refresh_from_db()
    assert answer.status_code == 200 and greeter.draft == WORKFLOW


def test_draft_with_problems_is_saved_and_shows_them(greeter):
    answer = sign_in().post(page(greeter), form_of(greeter, BROKEN), follow=True)

    greeter.refresh_from_db()
    assert greeter.draft == BROKEN
    text = answer.content.decode()
    assert "triger" in text and "omni-problem is-error" in text


def test_text_that_is_no_yaml_is_shown_with_its_problem_and_not_stored(greeter):
    answer = sign_in().post(page(greeter), form_of(greeter, "omni: [1\nid: greeter"))

    greeter.refresh_from_db()
    assert answer.status_code == 200 and greeter.draft == WORKFLOW
    assert "omni-problem is-error" in answer.content.decode()


def test_stale_save_is_refused_and_shows_both_texts(greeter):
    client = sign_in()
    theirs, mine = (WORKFLOW.replace("Greeter", name) for name in ("Theirs", "Mine"))
    form = form_of(greeter, mine)
    drafts.save_draft(theirs, actor="user:ana")

    answer = client.post(page(greeter), form)

    text = answer.content.decode()
    greeter.refresh_from_db()
    assert answer.status_code == 200 and greeter.draft == theirs
    assert "name: Theirs" in text and "name: Mine" in text
    assert f'name="base_revision" value="{greeter.revision}"' in text


def test_id_of_a_stored_workflow_stays(greeter):
    answer = sign_in().post(page(greeter), form_of(greeter, WORKFLOW.replace(
        "id: greeter", "id: other")))

    assert answer.status_code == 200
    assert list(Workflow.objects.values_list("slug", flat=True)) == ["greeter"]


def test_publishing_makes_a_version_with_its_note(greeter):
    text = WORKFLOW.replace("Greeter", "Second")

    sign_in().post(page(greeter), form_of(greeter, text, _publish="1", publish_note="new name"))

    latest = greeter.latest()
    assert (latest.number, latest.text, latest.note) == (2, text, "new name")
    assert latest.author.username == "boss"


def test_publishing_a_draft_with_errors_is_refused(greeter):
    answer = sign_in().post(page(greeter), form_of(greeter, BROKEN, _publish="1"), follow=True)

    greeter.refresh_from_db()
    assert greeter.latest().number == 1 and greeter.draft == BROKEN
    assert "Not published" in answer.content.decode()


def test_rolling_back_publishes_the_old_text_again(greeter):
    drafts.save_draft(WORKFLOW.replace("Greeter", "Second"), actor="test")
    greeter.refresh_from_db()
    publishing.publish(greeter, actor="test")
    first = greeter.versions.get(number=1)

    sign_in().post(page(first, "do", "roll_back"))

    latest = greeter.latest()
    assert (latest.number, latest.text) == (3, WORKFLOW)


def test_version_shows_what_changed_since_the_one_before(greeter):
    drafts.save_draft(WORKFLOW.replace("Greeter", "Second"), actor="test")
    greeter.refresh_from_db()
    second = publishing.publish(greeter, actor="test")

    text = sign_in().get(page(second)).content.decode()

    assert "-name: Greeter" in text and "+name: Second" in text


def test_version_is_compared_with_the_draft_on_request(greeter):
    drafts.save_draft(WORKFLOW.replace("Greeter", "Draft name"), actor="test")

    text = sign_in().get(page(greeter.latest()), {"against": "draft"}).content.decode()

    assert "+name: Draft name" in text


def test_export_is_the_draft_as_written(greeter):
    answer = sign_in().get(reverse("admin:registry_workflow_export", args=[greeter.pk]))

    assert answer.content.decode() == WORKFLOW
    assert 'filename="greeter.yaml"' in answer["content-disposition"]


@pytest.mark.parametrize("form", [
    {"text": WORKFLOW}, {"file": SimpleUploadedFile("greeter.yaml", WORKFLOW.encode())}])
def test_import_takes_pasted_text_or_a_file(form):
    answer = sign_in().post(IMPORT, {**form, "publish": "on"})

    assert answer.status_code == 302
    assert Workflow.objects.get().latest().number == 1


def test_import_with_errors_stores_nothing():
    answer = sign_in().post(IMPORT, {"text": BROKEN, "publish": "on"})

    assert "triger" in answer.content.decode()
    assert not Workflow.objects.exists()


def test_author_of_one_instance_reads_workflows_only(greeter):
    shop = make_instance()
    client = sign_in(grants=[(shop, ["read", "workflows"])], name="ana")

    shown = client.get(page(greeter))
    answers = [client.post(page(greeter), form_of(greeter, WORKFLOW)), client.get(ADD),
               client.post(IMPORT, {"text": WORKFLOW}),
               client.post(page(greeter.latest(), "do", "roll_back"))]

    assert shown.status_code == 200 and "omni-yaml" not in shown.content.decode()
    assert [answer.status_code for answer in answers] == [403] * 4


def test_run_that_ended_is_run_again():
    run = make_world().run

    sign_in().post(page(run, "do", "rerun"))

    assert Run.objects.filter(event=run.event, replay_no=1, state="queued").exists()


def test_queued_run_is_canceled():
    run = make_world().run
    Run.objects.filter(pk=run.pk).update(state="queued")

    sign_in().post(page(run, "do", "cancel"))

    run.refresh_from_db()
    assert run.state == "canceled"


def test_ended_run_offers_no_cancel():
    text = sign_in().get(page(make_world().run)).content.decode()

    assert "/do/rerun/" in text and "/do/cancel/" not in text
