"""A change of a message counts where the message is, and an edit from its author only.

Whoever knows a message's id can name it from anywhere: what they say is kept as an event, where
they said it, and the message stays what it is.
"""

import pytest

from events.models import Event, MessageState
from registry.engine.route import routing
from registry.models import Run
from tests.factories import ANA, evolution_text, make_evolution, post_delivery, switch_on
from tests.registry.runs import advance, work
from tests.way.test_one_person import LID, OWN_LID, tell, write
from tests.way.test_other_addresses import ANSWERER, BOB, GROUP, sent

pytestmark = pytest.mark.django_db
__all__ = ["sent", "tell", "write"]  # fixtures


@pytest.fixture
def shop():
    return make_evolution(own_lid=OWN_LID)


@pytest.fixture
def change(tell):
    """Say something about a message. by: what the key says of who did it."""
    def deliver(kind, target, **by):
        key = {"remoteJid": ANA, "fromMe": False, "id": target, **by}
        if kind == "edited":
            return tell("messages.edited", {
                "key": key, "type": 14, "editedMessage": {"conversation": "changed"}})
        if kind == "deleted":
            return tell("messages.delete", key)
        return tell("messages.upsert", {
            "key": {**key, "id": f"R-{target}"}, "messageTimestamp": 1772442901,
            "messageType": "reactionMessage",
            "message": {"reactionMessage": {"key": {"id": target}, "text": "👍"}}})

    return deliver


def state_of(message):
    found = MessageState.objects.get(provider_message_id=message)
    return found.text, found.edit_count, found.deleted_at is not None, list(found.reactions)


UNTOUCHED = ("text M1", 0, False, [])


@pytest.mark.parametrize("kind", ["edited", "deleted", "reaction"])
@pytest.mark.parametrize("chat", [ANA, GROUP])
@pytest.mark.parametrize("first", ["message", "change"])
@pytest.mark.parametrize("is_known", [True, False])
def test_change_from_another_conversation_stays_there(write, change, kind, chat, first, is_known):
    if is_known:
        write("M0", chat=BOB)
    steps = [lambda: write("M1", chat=chat, **({"participant": ANA} if chat == GROUP else {})),
             lambda: change(kind, "M1", remoteJid=BOB)]
    for step in steps if first == "message" else reversed(steps):
        step()
        work()

    assert state_of("M1") == UNTOUCHED
    assert Event.objects.get(target_message_id="M1").conversation.ref == BOB


@pytest.mark.parametrize("by", [{"remoteJid": GROUP, "participant": BOB},
                                {"remoteJid": GROUP, "participant": LID, "participantAlt": BOB}])
def test_edit_in_a_group_by_somebody_else_changes_nothing(write, change, by):
    switch_on("omni: 1\nid: burst\ntrigger: [{event: message.text}]\ndebounce: {quiet: 5s}\n"
              "steps: [{set: {said: '${{ event.text }}'}}]\n")
    write("M1", chat=GROUP, participant=ANA)
    write("M0", chat=BOB)
    routing.route()
    change("edited", "M1", **by)
    routing.route()

    run = advance(Run.objects.get(event__provider_message_id="M1"))

    assert run.output["said"] == "text M1" and state_of("M1") == UNTOUCHED
    assert Event.objects.get(event_type="message.edited").conversation.ref == GROUP


def test_edit_of_our_own_message_by_the_other_side_changes_nothing(write, change):
    write("M1", fromMe=True)
    change("edited", "M1")
    work()

    assert state_of("M1") == UNTOUCHED


@pytest.mark.parametrize(("kind", "seen"), [
    ("edited", ("changed", 1, False, [])), ("deleted", ("text M1", 0, True, [])),
    ("reaction", ("text M1", 0, False, ["👍"]))])
@pytest.mark.parametrize(("written", "by"), [
    ({}, {}), ({}, {"remoteJid": LID}), ({}, {"remoteJid": LID, "remoteJidAlt": ANA}),
    ({"chat": GROUP, "participant": ANA}, {"remoteJid": GROUP, "participant": ANA}),
    ({"chat": GROUP, "participant": ANA}, {"remoteJid": GROUP, "participant": LID})])
@pytest.mark.parametrize("is_known", [True, False])
def test_change_by_the_author_counts_under_any_of_their_addresses(
        write, change, kind, seen, written, by, is_known):
    if is_known:
        write("M0", chat=LID)
    write("M1", **written)
    change(kind, "M1", **by)
    work()

    assert state_of("M1") == seen
    about = Event.objects.get(target_message_id="M1")
    assert about.conversation.kept_id == Event.objects.get(
        provider_message_id="M1").conversation.kept_id


def test_changes_of_two_messages_in_one_batch_are_filed_each_for_itself(write, shop, client):
    write("M1")
    write("M2", chat=GROUP, participant=BOB)
    body = evolution_text("R0", chat=LID)
    body["data"] = [{
        "key": {"remoteJid": LID, "fromMe": False, "id": f"R-{target}"},
        "messageTimestamp": 1772442901, "messageType": "reactionMessage",
        "message": {"reactionMessage": {"key": {"id": target}, "text": "👍"}}}
        for target in ("M1", "M2")]
    post_delivery(client, shop, body)
    work()

    assert [(event.target_message_id, event.conversation.ref) for event in Event.objects.filter(
        event_type="message.reaction").order_by("id")] == [("M1", ANA), ("M2", LID)]
    assert state_of("M2") == ("text M2", 0, False, [])


def test_admin_of_a_group_deletes_what_somebody_else_wrote(write, change):
    write("M1", chat=GROUP, participant=ANA)
    change("deleted", "M1", remoteJid=GROUP, participant=BOB)
    work()

    assert state_of("M1") == ("text M1", 0, True, [])


def test_answer_to_a_reaction_from_elsewhere_goes_to_who_reacted(write, change, sent):
    write("M1", chat=GROUP, participant=ANA)
    work()
    switch_on(ANSWERER.replace("message.text", "message.reaction"))
    change("reaction", "M1", remoteJid=BOB)
    work()

    assert sent == [BOB]
