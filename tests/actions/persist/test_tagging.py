import pytest

from actions.persist.tagging import TaggingParams, tag
from events.models import Contact, Conversation


def test_tags_and_labels_are_added_and_removed(say, context, chat, ana):
    Conversation.objects.filter(pk=chat.pk).update(tags=["new", "open"])
    params = TaggingParams(add=["sales"], remove=["new"], add_labels=["vip"])

    outcome = tag(say(), params, context)

    assert outcome.output == {"tags": ["open", "sales"], "labels": ["vip"], "changed": True}
    assert Conversation.objects.get().tags == ["open", "sales"]
    assert Contact.objects.get(pk=ana.pk).labels == ["vip"]


def test_second_time_changes_nothing(say, context):
    params = TaggingParams(add=["sales", "sales", " "], add_labels=["vip"])

    tag(say(), params, context)
    again = tag(say(), params, context)

    assert again.output == {"tags": ["sales"], "labels": ["vip"], "changed": False}


def test_label_goes_to_the_contact_that_was_kept(say, context, ana):
    kept = Contact.objects.create(name="Ana Maria")
    ana.merged_into = kept
    ana.save()

    tag(say(), TaggingParams(add_labels=["vip"]), context)

    assert Contact.objects.get(pk=kept.pk).labels == ["vip"]


@pytest.mark.parametrize("params", [{"add": ["x"]}, {"remove_labels": ["x"]}])
def test_event_of_nobody_and_nowhere_cannot_be_tagged(say, context, params):
    event = say(conversation=None, contact=None)

    assert tag(event, TaggingParams(**params), context).code == "invalid"
