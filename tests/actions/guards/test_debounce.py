from datetime import timedelta

import pytest
from django.utils import timezone

from actions.guards.debounce import DebounceParams, debounce

NOW = timezone.now()


def check(event, context, seconds=5.0):
    return debounce(event, DebounceParams(seconds=seconds), context).status


def test_first_of_a_burst_passes_and_the_second_stops(say, context):
    first = say(occurred_at=NOW)
    second = say(occurred_at=NOW + timedelta(seconds=2))

    assert (check(first, context), check(second, context)) == ("done", "stopped")


def test_messages_of_the_same_moment_are_one_burst(say, context):
    first, second = say(occurred_at=NOW), say(occurred_at=NOW)

    assert (check(first, context), check(second, context)) == ("done", "stopped")


def test_what_happened_nowhere_and_by_nobody_is_no_burst(say, context):
    facts = {"conversation": None, "conversation_ref": "", "provider_actor_ref": ""}
    first, second = say(occurred_at=NOW, **facts), say(occurred_at=NOW, **facts)

    assert (check(first, context), check(second, context)) == ("done", "done")


def test_message_after_the_quiet_time_passes(say, context):
    say(occurred_at=NOW)
    later = say(occurred_at=NOW + timedelta(seconds=6))

    assert check(later, context) == "done"


@pytest.mark.parametrize("difference", [
    {"provider_actor_ref": "447700900123@s.whatsapp.net"}, {"event_type": "message.reaction"},
    {"direction": "outbound"}])
def test_other_person_reaction_and_own_message_are_no_part_of_it(say, context, difference):
    say(occurred_at=NOW, **difference)
    event = say(occurred_at=NOW + timedelta(seconds=1))

    assert check(event, context) == "done"


def test_one_person_in_two_conversations_is_two_bursts(say, context, group):
    say(occurred_at=NOW, conversation=group)
    event = say(occurred_at=NOW + timedelta(seconds=1))

    assert check(event, context) == "done"
