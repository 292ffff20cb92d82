"""Published versions are compiled once, and the table is read again only when what runs changed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from omni.recent import Recent
from registry.engine.route import definitions, matching
from registry.engine.work import modes
from registry.language import document
from registry.versions import bindings, drafts, publishing
from tests.factories import GREETER, make_event, make_webhook, switch_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def remembering(settings) -> None:
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    definitions.forget()


@pytest.fixture
def shop():
    return make_webhook()


@pytest.fixture
def compiles(monkeypatch) -> list[str]:
    """The texts that were compiled, in order."""
    texts, parse = [], document.parse

    def parsed(text, **options):
        texts.append(text)
        return parse(text, **options)

    monkeypatch.setattr(document, "parse", parsed)
    return texts


def greeters(count):
    return [switch_on(GREETER.replace("greeter", f"greeter-{number}")) for number in range(count)]


def test_hundred_looks_cost_no_statement(shop):
    greeters(2)
    event = make_event(shop)
    matching.match(event, matching.table(now=True))

    with CaptureQueriesContext(connection) as asked:
        for _ in range(100):
            assert len(matching.match(event, matching.table()).matches) == 2
    assert len(asked) == 0


def test_draft_that_is_saved_makes_nobody_read_the_table_again(shop):
    greeters(1)
    before = matching.table(now=True)
    drafts.save_draft(GREETER.replace("greeter", "greeter-0").replace("seen", "met"), actor="test")
    drafts.save_draft(GREETER.replace("greeter", "new"), actor="test")

    assert matching.table(now=True) is before


@pytest.mark.parametrize("change", [
    lambda flow: publishing.publish_text(flow.draft.replace("seen", "met"), actor="test"),
    lambda flow: bindings.bind(flow, scope="global", enabled=False, actor="test"),
    lambda flow: modes.set_mode(flow, "paused", actor="test"),
    lambda flow: publishing.archive(flow, actor="test")])
def test_table_is_read_again_when_what_runs_was_changed(shop, change):
    [flow] = greeters(1)
    before = matching.table(now=True)
    change(flow)

    assert matching.table(now=True) is not before


def test_table_tells_the_mode(shop):
    [flow] = greeters(1)
    modes.set_mode(flow, "paused", actor="test")

    assert [one.mode for one in matching.table(now=True).switched_on(shop.pk, shop.provider)] == [
        "paused"]


def test_reload_compiles_what_is_new_and_reads_no_other_text(shop, compiles):
    flows = greeters(5)
    matching.table(now=True).switched_on(shop.pk, shop.provider)
    modes.set_mode(flows[0], "paused", actor="test")
    compiles.clear()
    with CaptureQueriesContext(connection) as asked:
        matching.table(now=True).switched_on(shop.pk, shop.provider)

    assert compiles == []
    assert len(asked) == 3  # number, bindings, versions
    assert not [one for one in asked if '"draft"' in one["sql"] or '"text"' in one["sql"]]


def test_more_versions_than_are_remembered_of_the_past_are_compiled_once(
        shop, compiles, monkeypatch):
    monkeypatch.setattr(definitions, "_others", Recent(2))
    flows = greeters(6)
    matching.table(now=True).switched_on(shop.pk, shop.provider)
    compiles.clear()
    for flow in flows:
        modes.set_mode(flow, "draining", actor="test")
        matching.table(now=True).switched_on(shop.pk, shop.provider)
        matching.compiled(flow.latest().pk, flow.draft)

    assert compiles == []


def test_version_that_no_binding_runs_any_more_is_let_go(shop, monkeypatch):
    [flow, _] = greeters(2)
    matching.table(now=True).switched_on(shop.pk, shop.provider)
    old = flow.latest().pk
    publishing.publish_text(flow.draft.replace("seen", "met"), actor="test")
    matching.table(now=True).switched_on(shop.pk, shop.provider)

    assert definitions.in_force.known(old) is None
    assert len(definitions.in_force._known) == 2
