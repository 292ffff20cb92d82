import pytest

from actions.guards.contact_override import ContactOverrideParams, contact_override
from actions.models import ContactList


@pytest.fixture
def vip(ana):
    ana.labels = ["vip"]
    ana.save()
    return ana


@pytest.mark.parametrize(("label", "mode", "status"), [
    ("vip", "pass", "done"), ("vip", "stop", "stopped"), ("vip", "note", "done"),
    ("partner", "pass", "stopped"), ("partner", "stop", "done"), ("partner", "note", "done")])
def test_mode_says_what_a_label_means(say, context, vip, label, mode, status):
    params = ContactOverrideParams(label=label, mode=mode)

    assert contact_override(say(), params, context).status == status


@pytest.mark.parametrize("label", ["partner", "friends"])
def test_list_gives_the_label_by_its_label_and_its_name(say, context, instance, label):
    people = ContactList.objects.create(name="friends", label="partner", instance=instance)
    people.entries.create(pattern="+5511*")

    outcome = contact_override(say(), ContactOverrideParams(label=label), context)

    assert outcome.output == {"labelled": True, "source": "list friends"}


def test_block_list_of_the_same_name_gives_no_label(say, context, instance):
    people = ContactList.objects.create(name="vip", purpose="block", instance=instance)
    people.entries.create(pattern="*")

    assert contact_override(say(), ContactOverrideParams(label="vip"), context).status == "stopped"
