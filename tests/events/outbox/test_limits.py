"""The limiter below all workflows, counted from the outbox."""

import pytest

from connections.envelope import OutboundMessage
from events.outbox import deliver, limits
from omni.errors import Held, InvalidInput
from tests.factories import ANA, make_conversation, make_event, make_instance, make_sent

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


def check(shop, recipient=ANA, key="omni:1:steps[0]:0", **more):
    limits.check(instance_id=shop.pk, recipient=recipient, run_id=1, effect_key=key, **more)


def test_sends_below_the_limits_pass(shop):
    make_sent(shop, run_id=1)

    assert check(shop) is None


@pytest.mark.parametrize(("setting", "recipient", "whose"), [
    ("OMNI_SENDS_PER_PERSON", ANA, "this person"),
    ("OMNI_SENDS_PER_MINUTE", "somebody else", "this account")])
def test_send_beyond_a_limit_is_held_until_it_fits(shop, settings, clock, setting, recipient,
                                                   whose):
    setattr(settings, setting, 2)
    for _ in range(2):
        make_sent(shop, run_id=1)

    with pytest.raises(Held, match=f"2 messages a minute to {whose}") as held:
        check(shop, recipient)
    clock.forward(seconds=held.value.retry_after + 0.1)

    assert 50 < held.value.retry_after <= 60 and check(shop, recipient) is None


def test_what_people_send_is_not_counted(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = settings.OMNI_SENDS_PER_MINUTE = 1
    make_sent(shop, run_id=None)

    assert check(shop) is None


def test_send_that_was_begun_before_is_not_held(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = 1
    make_sent(shop, run_id=1, effect_key="omni:1:steps[0]:0")

    assert check(shop) is None


def test_zero_is_no_limit(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = settings.OMNI_SENDS_PER_MINUTE = 0
    settings.OMNI_REPLIES_PER_MINUTE = 0
    for number in range(12):
        make_sent(shop, run_id=10 + number)

    assert check(shop) is None


def answered(shop, *, times=10, **cause):
    """Runs that sent to Ana because of an event: hers, unless `cause` says otherwise."""
    event = make_event(cause.pop("instance", shop), **{"conversation_ref": ANA, **cause})
    for number in range(times):
        make_sent(shop, run_id=10 + number, caused_by=event)


def test_tenth_run_that_answers_within_a_minute_is_the_last(shop):
    answered(shop)

    with pytest.raises(InvalidInput, match="two machines talking") as refused:
        check(shop)

    assert refused.value.code == "loop_guard" and check(shop, "somebody else") is None


@pytest.mark.parametrize("elsewhere", [{"conversation_ref": "a form"}, {"conversation_ref": ""},
                                       {"instance": "hook"}], ids=["chat", "webhook", "account"])
def test_messages_because_of_events_from_elsewhere_are_no_loop(shop, elsewhere):
    if "instance" in elsewhere:
        elsewhere = {"instance": make_instance(elsewhere["instance"])}
    answered(shop, times=30, **elsewhere)

    assert check(shop) is None


def test_known_conversation_counts_as_the_one_its_event_came_from(shop):
    place = make_conversation(shop, "a group")
    cause = make_event(shop, conversation=place, conversation_ref="its old name")
    for number in range(10):
        make_sent(shop, "a group", run_id=10 + number, caused_by=cause, conversation=place)

    with pytest.raises(InvalidInput, match="two machines talking"):
        check(shop, "a group")


def test_what_is_no_answer_is_never_refused_it_waits(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = 20
    answered(shop)

    assert check(shop, answers=False) is None
    answered(shop)
    with pytest.raises(Held, match="OMNI_SENDS_PER_PERSON"):
        check(shop, answers=False)


def test_message_is_an_answer_where_its_cause_came_from(shop):
    place = make_conversation(shop, "a group")
    hers, group = make_event(shop, conversation_ref=ANA), make_event(shop, conversation=place)
    other = make_event(make_instance("hook"), conversation_ref=ANA)

    def is_answer(cause, recipient=ANA, conversation_id=None):
        return limits.is_answer(cause, instance_id=shop.pk, recipient=recipient,
                                conversation_id=conversation_id)

    assert is_answer(hers) and is_answer(group, "a group", place.pk) and is_answer(None)
    assert not is_answer(hers, "a group", place.pk) and not is_answer(other)


def test_many_messages_of_one_run_are_no_loop(shop):
    for _ in range(30):
        make_sent(shop, run_id=7)

    assert check(shop) is None


def test_held_send_leaves_no_row_in_the_outbox(shop, settings):
    settings.OMNI_SENDS_PER_PERSON = 1
    make_sent(shop, run_id=1)

    with pytest.raises(Held):
        deliver.send(OutboundMessage(kind="text", to=ANA, text="hi"), instance=shop,
                     effect_key="omni:1:steps[0]:1", run_id=1)

    assert shop.outbox.count() == 1
