import pytest
from pydantic import ValidationError

from actions.persist.derive import DeriveParams, derive
from events.models import Event, MessageState
from events.store import state
from tests.factories import make_event, make_instance


@pytest.fixture
def audio(say):
    return say(None, event_type="message.audio", media_kind="audio", provider_message_id="A1")


def keep(event, context, text="call me", *, kind="transcript", of=None):
    return derive(event, DeriveParams(kind=kind, text=text, relates_to=of or event.pk), context)


@pytest.mark.parametrize("kind", ["transcript", "description"])
def test_derived_event_stands_beside_its_parent(audio, context, ana, kind):
    outcome = keep(audio, context, kind=kind)

    made = Event.objects.get(pk=outcome.output["event_id"])
    assert outcome.output["event_type"] == made.event_type == f"system.derived.{kind}"
    assert (made.text, made.relation, made.target_message_id) == ("call me", "derived_from", "A1")
    assert (made.target_event, made.conversation, made.contact) == (audio, audio.conversation, ana)
    assert made.content == {"kind": kind, "of": audio.pk, "run": 1}


def test_derived_event_cannot_start_an_endless_chain(audio, context):
    made = Event.objects.get(pk=keep(audio, context).output["event_id"])

    assert (made.direction, made.auto_generated, made.from_me) == ("internal", True, False)
    assert (made.hop, made.caused_by, made.trace_id) == (audio.hop + 1, audio, audio.trace_id)
    assert made.routed_at is None


@pytest.mark.parametrize("text", ["call me", "something else"])
def test_step_that_is_done_again_keeps_what_it_stored(audio, context, text):
    first = keep(audio, context)

    again = keep(audio, context, text)

    assert again.output == first.output
    assert Event.objects.filter(relation="derived_from").get().text == "call me"


def test_another_step_stores_another_event(audio, context):
    keep(audio, context)
    context.effect_key = "omni:1:steps[1]"

    keep(audio, context)

    assert Event.objects.filter(relation="derived_from").count() == 2


def test_parent_that_is_no_message_is_linked_as_well(say, context):
    call = say(None, event_type="call.missed")

    made = Event.objects.get(pk=keep(call, context).output["event_id"])

    assert (made.target_event, made.target_message_id) == (call, None)


def test_message_itself_does_not_change(audio, context):
    state.apply([audio])

    keep(audio, context)
    state.apply(Event.objects.filter(relation="derived_from"))

    assert MessageState.objects.get().text is None


def test_event_of_another_instance_is_no_parent(audio, context):
    foreign = make_event(make_instance("desk"))

    outcome = keep(audio, context, of=foreign.pk)

    assert (outcome.status, outcome.code) == ("failed", "invalid")
    assert Event.objects.count() == 2


@pytest.mark.parametrize("text", ["", "  ", None])
def test_nothing_is_kept_of_nothing(audio, context, text):
    assert keep(audio, context, text).status == "skipped"
    assert Event.objects.count() == 1


def test_signs_the_database_cannot_hold_are_replaced(audio, context):
    outcome = keep(audio, context, "a\x00b\ud800")

    assert Event.objects.get(pk=outcome.output["event_id"]).text.startswith("a")


@pytest.mark.parametrize("wrong", [{"kind": "run.failed"}, {"relates_to": "x"},
                                   {"relates_to": 2 ** 63}])
def test_wrong_kind_or_parent_is_refused(wrong):
    with pytest.raises(ValidationError):
        DeriveParams(**{"kind": "transcript", "text": "a", "relates_to": 1, **wrong})
