"""`approval`: people decide, once, before the deadline."""

import pytest
from django.contrib.auth.models import Group, User

from connections.access import Principal
from events.models import Event
from omni.errors import InvalidInput
from registry.engine.waits import approvals
from registry.models import Approval, RoutingDecision
from tests.factories import switch_on
from tests.omni.documents import ROOT
from tests.registry.runs import Crash, advance, crash, output_of, work

pytestmark = pytest.mark.django_db
ASK = """
- id: ok
  approval:
    ask: "Send this to ${{ event.sender_name }}?"
    show: "${{ event.text }}"
    of: ["group:desk", "user:ana"]
    timeout: 30m
    on_timeout: %s
- uses: custom.send
  with:
    say: ${{ steps.ok.output.decision }} ${{ default(steps.ok.output.edited, event.text) }}
"""


@pytest.fixture
def asked(start):
    return advance(start(ASK % "reject"))


def test_question_is_stored_with_exactly_what_is_approved(asked):
    approval = Approval.objects.get()

    assert (asked.state, approval.state, approval.show) == ("waiting", "open", "hello")
    assert approval.of == ["group:desk", "user:ana"] and approval.via == ["admin"]
    assert Event.objects.get(event_type="system.approval.requested").content["approval"] == (
        approval.pk)


@pytest.mark.parametrize(("decision", "edited", "said"), [
    ("approve", None, "approve hello"), ("approve", "better", "approve better"),
    ("reject", None, "reject hello")])
def test_answer_wakes_the_run_and_is_its_output(asked, probe, decision, edited, said):
    approvals.answer(Approval.objects.get(), decision, actor="user:ana", edited=edited,
                     comment="fine")
    advance(asked)

    assert (asked.state, probe.calls) == ("done", [said])
    output = output_of(asked, "steps[0]")
    assert (output["by"], output["comment"], output["timed_out"]) == ("user:ana", "fine", False)


def test_first_answer_counts(asked):
    approvals.answer(Approval.objects.get(), "approve", actor="user:ana")

    with pytest.raises(InvalidInput, match="is approved already, by user:ana") as refused:
        approvals.answer(Approval.objects.get(), "reject", actor="user:bo")

    assert refused.value.code == "stale"


@pytest.mark.parametrize(("on_timeout", "state", "calls"), [
    ("reject", "done", ["reject hello"]), ("approve", "done", ["approve hello"]),
    ("fail", "failed", [])])
def test_deadline_decides_when_nobody_does(start, probe, on_timeout, state, calls):
    run = advance(start(ASK % on_timeout))

    advance(run)

    assert (run.state, probe.calls) == (state, calls)
    assert Approval.objects.get().state == ("approved" if on_timeout == "approve" else "rejected")


def test_answer_after_the_deadline_is_refused(asked, clock):
    clock.forward(hours=1)

    with pytest.raises(InvalidInput, match="its deadline has passed"):
        approvals.answer(Approval.objects.get(), "approve", actor="user:ana")


def test_approval_of_a_canceled_run_takes_no_answer(asked):
    from registry.engine.waits import endings
    endings.cancel_by("user:ana", asked)

    with pytest.raises(InvalidInput, match="it is closed already"):
        approvals.answer(Approval.objects.get(), "approve", actor="user:ana")


def test_crash_asks_nobody_twice(start, probe):
    probe.answers = [Crash()]
    run = advance(start(ASK % "reject"))
    approvals.answer(Approval.objects.get(), "approve", actor="user:ana")
    crash(run)

    advance(run)

    assert run.state == "done" and Approval.objects.count() == 1


@pytest.mark.parametrize(("name", "group", "may"), [
    ("ana", "", True), ("bo", "", False), ("bo", "desk", True), ("bo", "other", False)])
def test_only_those_who_were_asked_may_answer(asked, name, group, may):
    user = User.objects.create_user(name)
    if group:
        user.groups.add(Group.objects.create(name=group))
    who = Principal(kind="user", name=f"user:{name}", scopes=frozenset(), instance_ids=None)

    assert approvals.for_person(Approval.objects.all(), who, user=user).exists() is may


@pytest.mark.parametrize(("via", "result"), [("[slack]", "matched"), ("[chat]", "condition")])
def test_recipe_of_the_page_is_woken_by_questions_for_its_way(start, via, result):
    page = (ROOT / "docs/workflows.md").read_text()
    [recipe] = [block.split("```")[0] for block in page.split("```yaml\n")
                if block.startswith("omni: 1\nid: ask-the-team")]
    switch_on(recipe)
    advance(start(ASK.replace("    timeout", f"    via: {via}\n    timeout") % "reject"))

    work()

    [verdict] = RoutingDecision.objects.get(
        event__event_type="system.approval.requested").considered
    assert (verdict["workflow"], verdict["result"]) == ("ask-the-team", result)
