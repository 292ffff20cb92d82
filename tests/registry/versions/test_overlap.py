"""Two workflows that would both answer one event are named when one of them is published."""

import pytest

from registry.versions import bindings, drafts
from tests.factories import make_instance, make_workflow, switch_on

pytestmark = pytest.mark.django_db


def sender(name, *, where="", event="message.text", head="", more=""):
    condition = f"    where: {where}\n" if where else ""
    return (f"omni: 1\nid: {name}\n{head}trigger:\n  - event: {event}\n{more}{condition}"
            "steps:\n  - uses: route.reply\n    with: {text: hello}\n")


@pytest.fixture
def shop():
    return make_instance()


def doubled(text):
    return [item.message for item in drafts.warnings(text) if item.code == "double_send"]


def test_both_workflows_kind_and_place_are_named(shop):
    switch_on(sender("other"))
    switch_on(sender("greet"))

    [said] = doubled(sender("greet"))

    assert "'greet' and 'other'" in said and "message.text on shop" in said


def test_warning_stands_at_the_trigger(shop):
    switch_on(sender("other"))
    switch_on(sender("greet"))

    [found] = [item for item in drafts.warnings(sender("greet")) if item.code == "double_send"]

    assert (found.line, found.column, found.severity) == (3, 1, "warning")


@pytest.mark.parametrize("text", [
    sender("greet", head="claim: reply\n"),
    sender("greet", event="message.image"),
    sender("greet", more="    provider: whatsapp_evolution\n"),
    sender("greet", more="    instance: desk\n"),
    "omni: 1\nid: greet\ntrigger: [{event: message.text}]\nsteps: [{stop: done}]\n",
    sender("greet").replace("trigger:", "triger:"),
], ids=["claims", "other kind", "other provider", "other instance", "sends nothing", "errors"])
def test_no_warning_when_it_cannot_answer_the_same(shop, text):
    switch_on(sender("other"))
    switch_on(sender("greet"))

    assert doubled(text) == []


@pytest.mark.parametrize(("mine", "theirs", "both"), [
    ("event.direction == 'inbound'", "event.direction == 'outbound'", False),
    ("event.text and event.direction == 'inbound'", "event.direction == 'outbound'", False),
    ("event.from_me", "not event.from_me", False),
    ("event.direction == 'inbound'", "event.direction == 'inbound'", True),
    ("event.direction == 'inbound'", "event.text == 'hi'", True),
    ("event.direction == 'inbound' or event.from_me", "event.direction == 'outbound'", True),
    ("inputs.on", "not inputs.on", True),
])
def test_conditions_that_contradict_each_other_never_meet(shop, mine, theirs, both):
    head = "inputs: {on: {type: boolean, default: true}}\n"
    switch_on(sender("other", where=theirs, head=head))
    switch_on(sender("greet", where=mine, head=head))

    assert bool(doubled(sender("greet", where=mine, head=head))) is both


@pytest.mark.parametrize("binding", [None, {"enabled": False}, {"scope": "instance"}])
def test_workflow_that_is_not_on_in_the_same_place_is_no_rival(shop, binding):
    switch_on(sender("greet"), scope="instance", instance=shop)
    other = make_workflow(sender("other"))
    if binding:
        place = {"instance": make_instance("desk")} if "scope" in binding else {}
        bindings.bind(other, actor="t", **{"scope": "global", **binding, **place})

    assert doubled(sender("greet")) == []


def test_workflow_that_is_switched_on_nowhere_is_not_warned_of(shop):
    switch_on(sender("other"))

    assert doubled(sender("greet")) == []


def test_glob_and_custom_kinds_meet(shop):
    switch_on(sender("other", event="custom.*"))
    switch_on(sender("greet", event="custom.order"))

    assert "custom.order" in doubled(sender("greet", event="custom.order"))[0]


def test_notifications_of_one_event_are_no_double_answer(shop):
    def slack(name):
        return sender(name).replace("route.reply", "meta.notify.slack").replace(
            "text: hello", "text: hello, channel: '#a'")

    switch_on(slack("other"))
    switch_on(slack("greet"))

    assert doubled(slack("greet")) == []
