import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from actions.agents import kinds
from actions.models import Agent
from omni.config import revision
from omni.errors import NotConfigured
from tests.factories import make_instance


def test_every_kind_of_the_model_can_answer():
    assert set(kinds.ANSWERS) == {name for name, _ in Agent.KINDS}


def test_built_in_agent_answers_where_nobody_made_one(instance):
    assert kinds.agent_for("", instance=instance).kind == "builtin"


def test_stored_default_agent_wins(instance):
    made = Agent.objects.create(slug="default", name="Ours", kind="http")

    assert kinds.agent_for("", instance=instance) == made


def test_agent_of_the_instance_answers_unless_another_is_named(instance):
    instance.agent = "sales"
    sales = Agent.objects.create(slug="sales", name="Sales")
    desk = Agent.objects.create(slug="desk", name="Desk")

    found = [kinds.agent_for(slug, instance=instance) for slug in ("", "desk")]

    assert found == [sales, desk]


@pytest.mark.parametrize(("fields", "words"), [
    (None, "there is no agent 'sales'"), ({"enabled": False}, "'sales' is switched off")])
def test_agent_that_cannot_answer_is_named(instance, fields, words):
    if fields:
        Agent.objects.create(slug="sales", name="Sales", **fields)

    with pytest.raises(NotConfigured, match=words):
        kinds.agent_for("sales", instance=instance)


@pytest.mark.django_db(transaction=True)
def test_agent_is_read_once_while_none_is_changed(settings):
    settings.OMNI_INSTANCE_CACHE_SECONDS = 60
    shop = make_instance(agent="sales")
    sales = Agent.objects.create(slug="sales", name="Sales")
    kinds.agent_for("", instance=shop)

    with CaptureQueriesContext(connection) as asked:
        assert {kinds.agent_for("", instance=shop) for _ in range(100)} == {sales}
    assert len(asked) == 0
    Agent.objects.update(name="Other")
    revision.read()
    assert kinds.agent_for("", instance=shop).name == "Other"
