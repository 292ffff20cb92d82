"""Admin: comparing versions, canaries, the effective view, warnings and stale saves."""

import pytest
from django.urls import reverse

from registry.versions import bindings, canary, drafts, publishing
from tests.admin_world import sign_in
from tests.factories import make_event, make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db
TEXT = """\
omni: 1
id: greeter
name: Greeter
trigger:
  - event: message.text
    where: event.from_me
steps:
  - {id: first, set: {a: 1}}
"""
WIDER = TEXT.replace("event.from_me", "event.text").replace("{a: 1}", "{a: 2}")
SENDER = """\
omni: 1
id: %s
trigger: [{event: message.text}]
steps: [{uses: route.reply, with: {text: hello}}]
"""


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def workflow():
    make_workflow(TEXT)
    return make_workflow(WIDER)


def page(row, name="change", *more):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{name}",
                   args=[row.pk, *more])


def save(client, row, text, **fields):
    return client.post(page(row), {
        "draft": text, "base_revision": row.revision, "bindings-TOTAL_FORMS": "0",
        "bindings-INITIAL_FORMS": "0", **fields}, follow=True).content.decode()


def version(workflow, number):
    return publishing.version_of(workflow, number)


def test_comparison_shows_events_parts_and_lines(workflow, shop):
    event = make_event(shop)

    text = sign_in().get(page(version(workflow, 2), "compare"),
                         {"against": "1"}).content.decode()

    assert "<b>1</b> would match now, <b>0</b> would stop matching" in text
    assert page(event) in text and "<code>event.from_me</code>" in text
    assert "step <b>first</b>" in text and "-    where: event.from_me" in text


def test_comparison_with_a_draft_that_has_errors_names_them(workflow):
    drafts.save_draft(WIDER.replace("trigger:", "triger:"), actor="t")

    text = sign_in().get(page(version(workflow, 2), "compare")).content.decode()

    assert "Not asked" in text and "triger" in text


@pytest.mark.parametrize("query", [
    {"against": "9"}, {"against": "x"}, {"against": "9" * 30}, {"instance": "nowhere"}])
def test_comparison_with_what_is_not_there_is_not_found(workflow, query):
    assert sign_in().get(page(version(workflow, 2), "compare"), query).status_code == 404


def test_comparison_is_over_the_instances_of_the_person(workflow, shop):
    make_event(make_instance("desk"))
    client = sign_in(grants=[(shop, ["read"])], name="ana")
    url = page(version(workflow, 2), "compare")

    text = client.get(url, {"against": "1"}).content.decode()

    assert "Asked: the 0 events" in text and "desk" not in text
    assert client.get(url, {"instance": "desk"}).status_code == 404


def test_comparison_needs_a_grant(workflow):
    assert sign_in(grants=[], name="ana").get(
        page(version(workflow, 2), "compare")).status_code == 403


def test_list_of_versions_leads_to_the_comparison(workflow):
    client = sign_in()
    url = page(version(workflow, 2), "compare")

    assert url in client.get(page(workflow)).content.decode()
    assert url in client.get(
        reverse("admin:registry_workflowversion_changelist")).content.decode()


def test_version_is_tried_on_one_instance_and_promoted(workflow, shop):
    bindings.bind(workflow, scope="global", actor="t")
    client = sign_in()

    tried = client.post(page(version(workflow, 2), "do", "try_on_one"), {"answer": "shop"},
                        follow=True).content.decode()
    assert canary.on_trial(workflow) == {"shop": 2}
    promoted = client.post(page(workflow, "do", "promote"), follow=True).content.decode()

    assert "global: newest → v1; instance shop: newest → v2" in tried and "canary</span>" in tried
    assert "All run v2. global: v1 → newest; instance shop: binding ended" in promoted
    assert canary.on_trial(workflow) == {}


def test_instance_that_is_not_there_is_said(workflow):
    text = sign_in().post(page(version(workflow, 2), "do", "try_on_one"), {"answer": "nowhere"},
                          follow=True).content.decode()

    assert "there is no instance" in text and canary.on_trial(workflow) == {}


def test_promoting_is_offered_while_something_is_tried(workflow, shop):
    client, url = sign_in(), page(workflow, "do", "promote")
    assert url not in client.get(page(workflow)).content.decode()

    canary.start(workflow, instance=shop, actor="t")

    assert url in client.get(page(workflow)).content.decode()


def test_author_of_one_instance_chooses_no_versions(workflow, shop):
    canary.start(workflow, instance=shop, actor="t")
    client = sign_in(grants=[(shop, ["read", "workflows"])], name="ana")

    answers = [client.post(page(version(workflow, 1), "do", "try_on_one"), {"answer": "shop"}),
               client.post(page(workflow, "do", "promote"))]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert canary.on_trial(workflow) == {"shop": 2}


def test_effective_view_is_of_the_instances_of_the_person(workflow, shop):
    make_instance("desk")
    bindings.bind(workflow, scope="global", priority=77, actor="t")

    text = sign_in(grants=[(shop, ["read"])], name="ana").get(page(workflow)).content.decode()

    assert "Where it stands" in text and "77" in text and "shop" in text
    assert "desk" not in text


def test_warnings_are_shown_before_and_after_publishing(shop):
    switch_on(SENDER % "other")
    greeter = switch_on(SENDER % "greeter")
    client = sign_in()

    before = client.get(page(greeter)).content.decode()
    after = save(client, greeter, SENDER % "greeter" + "# new\n", _publish="1")

    said = "&#x27;greeter&#x27; and &#x27;other&#x27; both send"
    assert said in before and "is-warning" in before
    assert f"greeter: line 3, column 1: {said}" in after


def test_import_shows_its_warnings():
    text = sign_in().post("/admin/registry/workflow/import/", {
        "text": SENDER % "greeter", "publish": "on"}, follow=True).content.decode()

    assert "sends without a claim" in text


def test_stale_save_shows_both_texts_side_by_side(workflow):
    client = sign_in()
    old = drafts.save_draft(WIDER, actor="t")
    drafts.save_draft(WIDER.replace("Greeter", "Theirs"), actor="t")

    text = save(client, old, WIDER.replace("Greeter", "Mine"))

    assert ('<td class="omni-removed">name: Theirs</td><td class="omni-added">name: Mine</td>'
            in text)
    workflow.refresh_from_db()
    assert "Theirs" in workflow.draft


def test_warning_about_other_instances_is_not_shown_to_a_person_of_one(shop):
    make_instance("desk")
    switch_on(SENDER % "other")
    greeter = switch_on(SENDER % "greeter")

    text = sign_in(grants=[(shop, ["read"])], name="ana").get(page(greeter)).content.decode()

    assert "sends without a claim" in text and "desk" not in text
