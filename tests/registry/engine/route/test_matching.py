"""Which workflows an event wakes, and why the others do not."""

import pytest
from django.db.models import F
from django.utils import timezone

from events.models import Contact
from registry.engine.route import matching
from registry.models import Binding, Workflow
from registry.versions import bindings, drafts
from tests.factories import make_conversation, make_event, make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db


def flow(name, *, where="", event="message.text", head="", **trigger):
    lines = [f"omni: 1\nid: {name}\n{head}\ntrigger:\n  - event: {event}"]
    lines += [f"    {key}: {value}" for key, value in trigger.items()]
    if where:
        lines.append(f"    where: {where}")
    return "\n".join(lines) + "\nsteps: [{set: {a: 1}}]\n"


@pytest.fixture
def shop():
    return make_instance()


def match(instance, **fields):
    return matching.match(make_event(instance, **fields), matching.table())


def verdicts(decision):
    return {verdict["workflow"]: (verdict["result"], verdict["clause"])
            for verdict in decision.considered}


def test_bound_workflow_of_the_type_matches(shop):
    switch_on(flow("greet"))

    decision = match(shop)

    assert [effective.slug for effective in decision.matches] == ["greet"]
    assert verdicts(decision) == {"greet": ("matched", "")} and decision.reason == ""


def test_workflow_that_is_not_bound_is_not_asked(shop):
    make_workflow(flow("greet"))

    assert match(shop).reason == "no enabled workflow listens for message.text"


@pytest.mark.parametrize(("event", "matches"), [
    ("message.*", True), ("message.text", True), ("message.image", False), ('"*"', True)])
def test_type_of_the_event_decides_first(shop, event, matches):
    switch_on(flow("greet", event=event))

    assert bool(match(shop).matches) is matches


@pytest.mark.parametrize(("where", "clause"), [
    ("event.text == 'bye'", "event.text == 'bye'"),
    ("event.text == 'hello' and event.from_me and event.text", "event.from_me"),
    ("event.text == 'bye' or event.from_me", "event.text == 'bye' or event.from_me"),
    ("event.text == 'hello' and (event.from_me or event.text == 'x')",
     "event.from_me or event.text == 'x'")])
def test_clause_that_says_no_is_named(shop, where, clause):
    switch_on(flow("greet", where=where))

    assert verdicts(match(shop)) == {"greet": ("condition", clause)}


@pytest.mark.parametrize(("trigger", "clause"), [
    ({"provider": "whatsapp_evolution"}, "provider is webhook"),
    ({"instance": "desk"}, "instance is shop")])
def test_trigger_of_another_place_says_no(shop, trigger, clause):
    switch_on(flow("greet", **trigger))

    assert verdicts(match(shop)) == {"greet": ("condition", clause)}


def test_condition_that_cannot_be_computed_is_the_answer_of_its_workflow_only(shop):
    switch_on(flow("broken", where="event.content.a + 1 == 2"))
    switch_on(flow("greet"))

    decision = match(shop, content={"a": "x"})

    assert verdicts(decision)["broken"][0] == "error"
    assert [effective.slug for effective in decision.matches] == ["greet"]


def test_error_in_a_chain_names_the_whole_condition(shop):
    switch_on(flow("broken", where="event.text and event.content.a + 1 == 2"))

    assert verdicts(match(shop, content={"a": "x"})) == {"broken": (
        "error", "cannot calculate text + a number in `event.text and event.content.a + 1 == 2`")}


def test_condition_can_ask_for_place_and_person(shop):
    ana = Contact.objects.create(name="Ana", labels=["vip"])
    switch_on(flow("greet", where="conversation.is_group and 'vip' in contact.labels"))

    assert match(shop, contact=ana, conversation=make_conversation(shop, kind="group")).matches
    assert not match(shop, contact=ana,
                     conversation=make_conversation(shop, "b", kind="direct")).matches


def test_second_trigger_may_take_what_the_first_refuses(shop):
    switch_on("omni: 1\nid: greet\ntrigger:\n  - {event: message.text, where: event.from_me}\n"
              "  - {event: message.*}\nsteps: [{set: {a: 1}}]\n")

    assert match(shop).matches


def test_lower_priority_number_is_asked_first(shop):
    switch_on(flow("late", head="priority: 900"))
    switch_on(flow("early", head="priority: 10"))
    switch_on(flow("middle"), priority=50)

    assert [one.slug for one in match(shop).matches] == ["early", "middle", "late"]


def test_narrower_scope_is_asked_first_at_equal_priority(shop):
    switch_on(flow("a-global"))
    switch_on(flow("b-provider"), scope="provider", provider="webhook")
    switch_on(flow("c-instance"), scope="instance", instance=shop)

    assert [one.slug for one in match(shop).matches] == ["c-instance", "b-provider", "a-global"]


def test_first_match_of_a_claim_suppresses_the_others(shop):
    switch_on(flow("second", head="claim: reply\npriority: 2"))
    switch_on(flow("first", head="claim: reply\npriority: 1"))
    switch_on(flow("free"))
    switch_on(flow("refuses", where="event.from_me", head="claim: reply\npriority: 0"))

    decision = match(shop)

    assert [one.slug for one in decision.matches] == ["first", "free"]
    assert verdicts(decision)["second"] == ("suppressed", "suppressed by first")


INPUTS = "inputs: {a: {type: text, default: d}, b: {type: text, default: d}, " \
         "c: {type: text, default: d}, e: {type: text, default: d}}"


def test_narrowest_scope_decides_key_by_key(shop):
    workflow = switch_on(flow("greet", head=INPUTS), inputs={"a": "g", "b": "g", "c": "g"},
                         priority=7)
    bindings.bind(workflow, scope="provider", provider="webhook", inputs={"b": "p", "c": "p"},
                  actor="test")
    bindings.bind(workflow, scope="instance", instance=shop, inputs={"c": "i"}, actor="test")

    [effective] = match(shop).matches

    assert effective.inputs == {"a": "g", "b": "p", "c": "i", "e": "d"}
    assert (effective.scope, effective.priority) == ("instance", 7)


def test_switched_off_in_a_narrow_scope_silences_the_global_one(shop):
    workflow = switch_on(flow("greet"))
    bindings.bind(workflow, scope="instance", instance=shop, enabled=False, actor="test")

    assert not match(shop).matches and match(make_instance("desk")).matches


def test_switched_on_in_a_narrow_scope_wins_over_a_global_off(shop):
    workflow = switch_on(flow("greet"), enabled=False)
    bindings.bind(workflow, scope="instance", instance=shop, actor="test")

    assert match(shop).matches and not match(make_instance("desk")).matches


def test_pinned_version_stays_when_a_newer_one_is_published(shop):
    workflow = make_workflow(flow("greet"))
    bindings.bind(workflow, scope="global", version=workflow.latest(), actor="test")
    make_workflow(flow("greet", where="event.from_me"))

    assert [one.version_number for one in match(shop).matches] == [1]


def test_latest_version_is_picked_up_when_it_is_published(shop):
    switch_on(flow("greet"))
    before = match(shop)
    make_workflow(flow("greet", where="event.from_me"))

    after = match(shop)

    assert before.matches and verdicts(after) == {"greet": ("condition", "event.from_me")}


def test_draft_that_is_not_published_changes_nothing(shop):
    switch_on(flow("greet"))
    match(shop)
    drafts.save_draft(flow("greet", where="event.from_me"), actor="test")

    assert match(shop).matches


def test_table_is_read_again_when_one_binding_takes_the_place_of_another(shop):
    first, second = switch_on(flow("first")), make_workflow(flow("second"))
    match(shop)
    Binding.objects.get(workflow=first).delete()
    bindings.bind(second, scope="global", actor="test")

    assert [one.slug for one in match(shop).matches] == ["second"]


def test_binding_that_was_deleted_is_noticed(shop):
    switch_on(flow("greet"))
    match(shop)
    Binding.objects.all().delete()

    assert not match(shop).matches


@pytest.mark.django_db(transaction=True)
def test_table_is_kept_while_nothing_changes(shop):
    switch_on(flow("greet"))

    assert matching.table() is matching.table()


def test_archived_workflow_wakes_no_more(shop):
    switch_on(flow("greet"))
    match(shop)
    Workflow.objects.update(archived_at=timezone.now(), revision=F("revision") + 1)

    assert not match(shop).matches


@pytest.mark.parametrize("source", ["history", "import"])
def test_history_wakes_no_workflow(shop, source):
    switch_on(flow("greet"))

    decision = match(shop, source=source)

    assert (decision.matches, decision.reason) == ([], f"{source} events wake no workflow")


def test_long_chain_of_automatic_messages_ends(shop):
    switch_on(flow("greet"))

    assert match(shop, hop=4).matches
    assert match(shop, hop=5).reason == "the chain of automatic messages reached 5"


def test_binding_that_is_switched_off_is_noticed(shop):
    workflow = switch_on(flow("greet"))
    before = match(shop).matches
    bindings.bind(workflow, scope="global", enabled=False, actor="user:ana")

    assert len(before) == 1 and match(shop).matches == []


def test_binding_whose_inputs_were_changed_is_noticed(shop):
    workflow = switch_on(flow("greet", head="inputs: {word: {type: text, default: a}}"))
    match(shop)
    bindings.bind(workflow, scope="global", inputs={"word": "b"}, actor="user:ana")

    assert match(shop).matches[0].inputs == {"word": "b"}


@pytest.mark.django_db(transaction=True)
def test_types_without_end_are_remembered_within_bounds(shop, monkeypatch):
    monkeypatch.setattr(matching, "TYPES_MOST", 2)
    switch_on(flow("greet", event="custom.*"))

    found = [match(shop, event_type=f"custom.order_{number}") for number in range(4)]

    assert [len(decision.matches) for decision in found] == [1] * 4
    assert len(matching.table()._by_type) == 2
