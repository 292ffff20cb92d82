"""The page where people answer what runs ask them."""

import pytest
from django.urls import reverse

from registry.engine.waits import endings
from registry.models import Approval
from tests.admin_world import sign_in
from tests.factories import make_event, make_instance, make_run
from tests.registry.runs import advance

pytestmark = pytest.mark.django_db
LIST = "/admin/registry/approval/"
ASK = """
- id: ok
  approval:
    ask: Send this?
    show: %s
    of: ["user:ana", "user:boss"]
    timeout: 30m
- uses: custom.send
  with: {say: "${{ steps.ok.output.edited }}"}
"""


@pytest.fixture
def asked(start):
    return advance(start(ASK % '"${{ event.text }}"', event=make_event(
        make_instance(), text="two\nlines <b>")))


@pytest.fixture
def question(asked):
    return Approval.objects.get()


def page(question):
    return reverse("admin:registry_approval_change", args=[question.pk])


def do(question, name):
    return reverse("admin:registry_approval_do", args=[question.pk, name])


def test_page_shows_exactly_what_is_approved_and_when_it_is_too_late(question):
    text = sign_in().get(page(question)).content.decode()

    assert ">\ntwo\nlines &lt;b&gt;</textarea>" in text
    assert question.deadline.isoformat() in text and "/do/approve/" in text


def test_unchanged_text_is_no_edit(asked, question, probe):
    sign_in().post(do(question, "approve"), {"edited": "two\r\nlines <b>", "comment": "fine"})
    advance(asked)

    question.refresh_from_db()
    assert (question.state, question.edited, question.comment) == ("approved", None, "fine")
    assert question.answered_by == "user:boss" and probe.calls == [None]


def test_changed_text_is_what_the_run_goes_on_with(asked, question, probe):
    sign_in().post(do(question, "approve"), {"edited": "three\r\nlines"})
    advance(asked)

    assert probe.calls == ["three\nlines"]


def test_rejected_question_shows_who_said_so_and_offers_no_answer(question):
    client = sign_in()
    client.post(do(question, "reject"), {"comment": "too rude"})

    text = client.get(page(question)).content.decode()

    assert "too rude" in text and "by user:boss" in text
    assert "/do/approve/" not in text and 'name="edited"' not in text


def test_data_that_is_no_text_is_shown_and_not_edited(start):
    advance(start(ASK % "{order: 7}"))
    question = Approval.objects.get()
    client = sign_in()

    text = client.get(page(question)).content.decode()
    client.post(do(question, "approve"), {"edited": "x"})

    question.refresh_from_db()
    assert "&quot;order&quot;: 7" in text and 'name="edited"' not in text
    assert (question.state, question.edited) == ("approved", None)


@pytest.mark.parametrize(("name", "scopes", "may"), [
    ("ana", ["read", "send"], True), ("ana", ["read"], False), ("bo", ["read", "send"], False)])
def test_only_those_who_were_asked_and_may_send_can_answer(question, name, scopes, may):
    client = sign_in(grants=[(question.instance, scopes)], name=name)

    shown = client.get(page(question)).content.decode()
    answered = client.post(do(question, "approve"))

    question.refresh_from_db()
    assert ("/do/approve/" in shown, answered.status_code) == (may, 302 if may else 403)
    assert question.state == ("approved" if may else "open")


def test_person_of_another_instance_finds_no_question(question):
    client = sign_in(grants=[(make_instance("desk"), ["read", "send"])], name="ana")

    assert client.post(do(question, "approve")).status_code == 404
    assert "Send this?" not in client.get(LIST).content.decode()


def test_late_answer_says_why_and_changes_nothing(asked, question):
    client = sign_in()
    endings.cancel_by("user:ana", asked)

    answered = client.post(do(question, "approve"), follow=True)

    assert "does not apply to this row any more" in answered.content.decode()
    question.refresh_from_db()
    assert question.state == "closed"


def test_open_questions_come_first(asked, question):
    newer = make_run(make_event(asked.instance), workflow=asked.workflow)
    advance(newer)
    endings.cancel_by("user:ana", newer)

    shown = sign_in().get(LIST).context["cl"].result_list

    assert [row.state for row in shown] == ["open", "closed"]


@pytest.mark.parametrize("name", ["registry_run", "events_event"])
def test_question_stands_on_the_pages_of_its_run_and_event(asked, question, name):
    number = asked.pk if name == "registry_run" else asked.event_id

    text = sign_in().get(reverse(f"admin:{name}_change", args=[number])).content.decode()

    assert page(question) in text and "Send this?" in text


def test_dashboard_counts_open_questions(question):
    text = sign_in().get(reverse("admin:index")).content.decode()

    assert f"{LIST}?state__exact=open" in text and text.count("is-alarm") == 1
