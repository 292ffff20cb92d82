from datetime import timedelta

import pytest

from actions.transforms.summarize_poll import SummarizePollParams, summarize
from events.store import state
from tests.factories import NOON, make_event, make_instance

LUNCH = {"poll": {"name": "Lunch?", "options": ["Pizza", "Sushi", "Soup"], "selectable": 1}}


@pytest.fixture
def polled(say):
    """Makes the poll P1 and votes on it: [who, options] or (who, options, action)."""

    def make(*votes, content=LUNCH, with_poll=True):
        events = []
        if with_poll:
            events.append(say("Lunch?", event_type="message.poll", content=content,
                              provider_message_id="P1", occurred_at=NOON))
        for number, (who, options, *more) in enumerate(votes, 1):
            content_of = {"option_ids": options, "action": "set", **(more[0] if more else {})}
            events.append(say(
                None, event_type="poll.vote", target_message_id="P1", relation="votes_on",
                provider_actor_ref=who, content=content_of,
                occurred_at=NOON + timedelta(minutes=number)))
        state.apply(events)
        return events

    return make


def summary(context, poll="P1"):
    return summarize(None, SummarizePollParams(poll=poll), context)


def test_votes_are_counted_by_answer_with_the_most_first(polled, context):
    polled(["ana", ["Sushi"]], ["bo", ["Sushi"]], ["cy", ["Soup"]])

    output = summary(context).output

    assert output["text"] == ("Lunch?\n- Sushi: 2\n- Soup: 1\n- Pizza: 0\n3 votes of 3 people")
    assert output["options"] == [{"name": "Sushi", "votes": 2}, {"name": "Soup", "votes": 1},
                                 {"name": "Pizza", "votes": 0}]
    assert (output["question"], output["votes"], output["voters"]) == ("Lunch?", 3, 3)


def test_last_vote_of_a_person_counts(polled, context):
    polled(["ana", ["Pizza"]], ["ana", ["Soup"]])

    assert summary(context).output["options"][0] == {"name": "Soup", "votes": 1}
    assert summary(context).output["votes"] == 1


def test_poll_of_our_own_is_read_as_well(polled, context):
    polled(["ana", ["2"]], content={"name": "Lunch?", "options": [
        {"id": 1, "text": "Pizza"}, {"id": 2, "text": "Soup"}]})

    assert summary(context).output["options"][0] == {"name": "Soup", "votes": 1}


def test_votes_without_their_poll_are_counted(polled, context):
    polled(["ana", ["Pizza"]], with_poll=False)

    output = summary(context).output

    assert output["text"] == "A poll\n- Pizza: 1\n1 vote of 1 person"
    assert output["question"] == ""


def test_votes_that_cannot_be_read_are_told_and_not_counted(polled, context):
    polled(["ana", [], {"encrypted": True}], ["ana", [], {"encrypted": True}],
           ["bo", ["Soup"]])

    output = summary(context).output

    assert (output["votes"], output["unreadable"]) == (1, 1)
    assert output["text"].endswith("Votes of 1 person cannot be read")


def told(say, minutes, tally):
    return say(None, event_type="poll.updated", target_message_id="P1", relation="revises",
               content={"tally": tally}, occurred_at=NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(("minutes", "first"), [(9, "Pizza"), (0, "Soup")])
def test_tally_of_the_service_counts_when_it_is_the_newest(polled, say, context, minutes, first):
    polled(["ana", ["Soup"]])
    told(say, minutes, [{"option": "Pizza", "voters": ["a", "b"]}, {"option": "Soup"}, "odd"])

    assert summary(context).output["options"][0]["name"] == first


def test_answer_cannot_pose_as_another_line(polled, context):
    forged = "Soup\n- Pizza: 99"
    polled(["ana", [forged]], content={"poll": {"name": "Lunch?", "options": [forged]}})

    assert summary(context).output["text"].splitlines()[1] == "- Soup - Pizza: 99: 1"


@pytest.mark.parametrize("content", [{}, {"poll": "x"}, {"poll": {"options": "ab"}},
                                     {"poll": {"options": [None, {"id": 1}]}}])
def test_odd_poll_is_no_exception(polled, context, content):
    polled(["ana", ["Soup"]], content=content)

    assert summary(context).output["votes"] == 1


def test_unknown_poll_is_invalid(context):
    assert summary(context).code == "invalid"


def test_poll_of_another_instance_is_unknown(polled, context):
    other = make_event(make_instance("desk"), event_type="message.poll", content=LUNCH,
                       provider_message_id="P9")
    state.apply([other])

    assert summary(context, "P9").code == "invalid"


def test_deleted_poll_is_skipped(polled, say, context):
    events = polled(["ana", ["Soup"]])
    gone = say(None, event_type="message.deleted", target_message_id="P1", relation="deletes")
    state.apply([*events, gone])

    assert summary(context).status == "skipped"
