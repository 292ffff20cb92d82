"""One account's data, load and mistakes never touch another's, whatever ids the two share."""


import pytest
from django.utils import timezone

from actions.models import Memory
from actions.people import audiences
from actions.routes import agent_personal
from connections.envelope import Handle
from events.models import (
    Contact,
    Conversation,
    ConversationAlias,
    Event,
    MessageState,
    OutboxMessage,
)
from events.outbox import echoes, limits
from events.people import contacts
from events.store import ingest
from omni.errors import Held, InvalidInput
from registry.engine.waits import endings, waits
from registry.engine.work import queue
from registry.models import RoutingDecision, Run, Wait
from tests.api_client import client_of
from tests.factories import (
    ANA,
    evolution_text,
    make_draft,
    make_event,
    make_sent,
    make_unit,
    post_delivery,
    switch_on,
)
from tests.registry.runs import work
from tests.two_accounts import TURNS, shown

pytestmark = pytest.mark.django_db
LID, OWN_LID = "200000000000002@lid", "900000000000009@lid"
BO = "351922000003@s.whatsapp.net"
MOST = 3  # messages a minute to one person; an account may send one more


@pytest.fixture
def post(client):
    """Deliver a body of a server to an account."""
    def deliver(life, event, data):
        return post_delivery(client, life.account, {
            "event": event, "instance": "shop", "sender": "351911000001@s.whatsapp.net",
            "date_time": "2026-03-02T09:16:00.000Z", "data": data})

    return deliver


@pytest.fixture
def write(client):
    """Deliver a text, with the account's word in it."""
    def deliver(life, message_id, text="text", *, chat=ANA, **key):
        return post_delivery(client, life.account, evolution_text(
            message_id, f"{text} {life.word}", chat=chat, key=key))

    return deliver


def places(account):
    return sorted((
        place.ref, place.kind, place.title, place.merged_into and place.merged_into.ref,
        sorted(ConversationAlias.objects.filter(conversation=place).values_list("ref", flat=True)),
        [(event.event_type, event.provider_message_id, event.text)
         for event in Event.objects.filter(conversation=place).order_by("id")],
    ) for place in Conversation.objects.filter(instance=account))


def runs(account):
    return [(run.workflow.slug, run.state, run.code, len(run.batch), run.output)
            for run in Run.objects.filter(instance=account).order_by("id")]


def verdicts(account):
    return [[(one["workflow"], one["result"]) for one in decision.considered]
            for decision in RoutingDecision.objects.filter(instance=account).order_by("event_id")]


def the_life_of_a_message(write, post):
    def story(life):
        key = evolution_text("M1")["data"]["key"]
        write(life, "M1")
        work()
        yield
        if life.word == "theirs":
            post(life, "messages.edited", {
                "key": key, "type": "MESSAGE_EDIT", "timestampMs": 1772442990000,
                "editedMessage": {"conversation": "edited theirs"}})
        write(life, "M2", fromMe=True)
        work()
        yield
        if life.word == "theirs":
            post(life, "messages.delete", key)
        post(life, "messages.update", {
            "keyId": "M2", "fromMe": True, "remoteJid": ANA,
            "status": "READ" if life.word == "theirs" else "DELIVERY_ACK"})
        work()
        yield
        return [(row.provider_message_id, row.text, row.edit_count, row.delivery_status,
                 row.deleted_at is None, row.introduced_by.text)
                for row in MessageState.objects.filter(instance=life.account).order_by(
                    "provider_message_id")], [
            (event.event_type, event.target_event and event.target_event.text)
            for event in Event.objects.filter(instance=life.account).order_by("id")]

    return story


def names_of_one_chat(write, post):
    """The other account learns that both names are one chat; mine knows them apart."""
    def story(life):
        write(life, "M1")
        yield
        write(life, "M2", chat=LID)
        yield
        if life.word == "theirs":
            write(life, "M3", chat=LID, remoteJidAlt=ANA, addressingMode="lid")
        yield
        write(life, "M4", chat=LID)
        write(life, "M5")
        work()
        yield
        return places(life.account)

    return story


def an_alias_only(write, post):
    """What is an alias at the other account is a conversation of its own here."""
    def story(life):
        if life.word == "theirs":
            write(life, "M1", remoteJidAlt=LID)
        yield
        write(life, "M2", chat=LID)
        yield
        return places(life.account)

    return story


def what_is_said_about_a_message(write, post):
    """The message itself came to the other account only."""
    def story(life):
        if life.word == "theirs":
            write(life, "M1")
        yield
        post(life, "messages.edited", {
            "key": {"remoteJid": BO, "fromMe": False, "id": "M1"}, "type": "MESSAGE_EDIT",
            "editedMessage": {"conversation": "edited"}, "timestampMs": 1772442990000})
        work()
        yield
        return places(life.account)

    return story


def our_own_hidden_id(write, post):
    """Servers 2.3.0 to 2.3.4 name us beside the chats we write to."""
    def story(life):
        for number, chat in enumerate((ANA, BO)):
            write(life, f"M{number}", chat=chat, fromMe=True, senderLid=OWN_LID)
            yield
        return places(life.account)

    return story


WAITER = """\
omni: 1
id: waiter
trigger: [{event: message.text, where: "startswith(event.text, 'ask')"}]
steps:
  - id: reply
    wait: {event: message.text, match: %s, since: trigger, where: "startswith(event.text, 'yes')"}
  - set: {said: "${{ steps.reply.output.event.text }}"}
"""


def an_answer_that_is_waited_for(match):
    def of(write, post):
        def story(life):
            switch_on(WAITER % match)
            write(life, "M1", "ask")
            work()
            yield
            if life.word == "theirs":
                write(life, "M2", "yes")
            work()
            yield
            Wait.objects.filter(instance=life.account).update(looked=False)
            endings.look(waits.unlooked(seconds=-1))
            yield
            return runs(life.account)

        return story

    return of


GATED = """\
omni: 1
id: gated
trigger: [{event: message.text}]
%s
steps: [{set: {seen: "${{ event.batch_text }}"}}]
"""


def a_burst(gate):
    def of(write, post):
        def story(life):
            switch_on(GATED % gate)
            for number in range(2):
                write(life, f"M{number}", f"part {number}")
                work()
                yield
            Run.objects.filter(state="waiting").update(available_at=timezone.now())
            queue.wake_due()
            work()
            yield
            return runs(life.account), verdicts(life.account)

        return story

    return of


def a_burst_without_a_conversation(write, post):
    def story(life):
        switch_on(GATED % "debounce: {quiet: 1h}")
        make_event(life.account, conversation_ref="c1", routed_at=None, text=life.word)
        work()
        yield
        return runs(life.account), verdicts(life.account)

    return story


def answers(write, post):
    """The other account has answered as much as one may, and was stopped."""
    def story(life):
        for number in range(10 if life.word == "theirs" else 1):
            make_sent(life.account, ANA, run_id=9000 + number)
        if life.word == "theirs":
            make_event(life.account, event_type=limits.LOOP_STOPPED, conversation_ref=ANA)
        yield
        return asked(life.account, ANA)

    return story


def sends_of_a_minute(to):
    """The other account has sent as much as it may to somebody; here it is still little."""
    def of(write, post):
        def story(life):
            for number in range(MOST if life.word == "theirs" else 1):
                make_sent(life.account, to, run_id=9000 + number)
            yield
            return asked(life.account, ANA, answers=False)

        return story

    return of


def sends_under_two_names(sent, wanted):
    """Two names of one chat at the other account are two chats here, with a count of their own."""
    def of(write, post):
        def story(life):
            if life.word == "theirs":
                write(life, "M1", remoteJidAlt=LID)
            yield
            for number in range(MOST):
                make_sent(life.account, sent, run_id=9000 + number)
            yield
            return asked(life.account, wanted, answers=False)

        return story

    return of


def asked(account, recipient, **options):
    """What the limits say to one more message."""
    try:
        limits.check(instance_id=account.pk, recipient=recipient, run_id=1, effect_key="new",
                     **options)
    except (Held, InvalidInput) as exc:
        return exc.message
    return "sent"


def words_of_a_person(**send):
    """What a send of the other account would explain was written by hand here."""
    def of(write, post):
        def story(life):
            write(life, "M0")
            place = Conversation.objects.get(instance=life.account, ref=ANA)
            if life.word == "theirs":
                make_sent(life.account, ANA, conversation=place, request={"text": "hello"}, **send)
            yield
            make_event(life.account, direction="outbound", from_me=True, routed_at=None,
                       text="hello", conversation=place, conversation_ref=ANA,
                       provider_message_id="M1")
            work()
            yield
            return [(event.text, event.sent_by_omni, event.hop, event.routed_at is not None)
                    for event in Event.objects.filter(instance=life.account).order_by("id")]

        return story

    return of


def words_that_were_there_first(write, post):
    """A send of the other account becomes unknown, and its echo is looked for in the store."""
    def story(life):
        if life.word == "theirs":
            row = make_sent(life.account, ANA, state="unknown", request={"text": "hello"})
        else:
            make_event(life.account, direction="outbound", from_me=True, routed_at=None,
                       text="hello", conversation_ref=ANA)
        yield
        if life.word == "theirs":
            echoes.look_back([row.pk])
        yield
        return [event.sent_by_omni for event in Event.objects.filter(instance=life.account)]

    return story


def a_send_nobody_answered(write, post):
    """The echo comes at the other account only."""
    def story(life):
        make_sent(life.account, ANA, state="unknown", request={"text": "hello"},
                  effect_key=f"omni:{life.word}")
        yield
        if life.word == "theirs":
            make_event(life.account, direction="outbound", from_me=True, text="hello",
                       conversation_ref=ANA, provider_message_id="M1", routed_at=None)
        work()
        yield
        return list(OutboxMessage.objects.filter(instance=life.account).values_list(
            "state", "resolution", "provider_message_id"))

    return story


def people(write, post):
    """Ids that only mean something inside an account: the first name counts, once it is known."""
    def story(life):
        for name in ("", f"Ana {life.word}"):
            ingest.persist([make_unit(life.account, make_draft(
                provider_actor_ref="42", conversation_ref="42", sender_name=name,
                contact_handles=[Handle("lid", LID, str(life.account.pk))], contact_name=name))])
            yield
        return sorted(Contact.objects.filter(handles__instances=life.account).values_list(
            "name", "handles__kind", "handles__value"))

    return story


def an_audience(write, post):
    """Consent, blocks, labels and tags are said at the other account."""
    def story(life):
        ingest.persist([make_unit(life.account, make_draft(
            provider_actor_ref="42", conversation_ref="42", sender_name="Ana",
            event_type="message.text" if life.word == "mine" else "contact.blocked"))])
        person = Contact.objects.get(handles__instances=life.account, handles__value="42")
        ingest.persist([make_unit(life.account, make_draft(
            sender_name="Bo", actor_handles=[Handle("phone", "+351922000003")],
            event_type="message.text" if life.word == "mine" else "contact.blocked"))])
        if life.word == "theirs":
            ingest.persist([make_unit(life.account, make_draft(
                sender_name="Cy theirs", actor_handles=[Handle("phone", "+351922000004")]))])
            Contact.objects.filter(pk=person.pk).update(labels=["vip"])
            Conversation.objects.filter(instance=life.account).update(tags=["vip"])
        contacts.forget()
        yield
        found = audiences.gather(instance=life.account, labels=["vip"], tags=["vip"],
                                 handles=["42", BO, "+351922000004"])
        return [(one.handle, one.name) for one in found.members], found.left_out

    return story


def a_memory(write, post):
    def story(life):
        write(life, "M1")
        event = Event.objects.get(instance=life.account)
        Memory.objects.create(instance=life.account, contact=event.contact, event=event,
                              text=f"likes {life.word}", effect_key=life.word)
        yield
        return agent_personal._memories(event, Asker(life.account), 10)

    return story


class Asker:
    """As much of an action's context as is read."""

    def __init__(self, instance):
        self.instance = instance


def what_a_key_reads(write, post):
    """Every list, read with a key for one account."""
    def story(life):
        switch_on(GATED % "")
        write(life, "M1")
        work()
        yield
        make_sent(life.account, ANA, request={"text": life.word})
        yield
        api = client_of("read", instances=[life.account])
        pages = [api.get(f"/api/v1/{name}/") for name in (
            "events", "conversations", "runs", "approvals", "tasks")]
        assert {page.status_code for page in pages} == {200}
        assert not [page for page in pages if "theirs" in page.content.decode()
                    and life.word == "mine"]
        return [len(page.data["results"]) for page in pages]

    return story


STORIES = {
    "state": the_life_of_a_message, "aliases": names_of_one_chat, "alias": an_alias_only,
    "effect": what_is_said_about_a_message, "identity": our_own_hidden_id,
    "wait": an_answer_that_is_waited_for("{text: yes theirs}"),
    "wait for anything": an_answer_that_is_waited_for("{}"),
    "wait for a place": an_answer_that_is_waited_for(
        '{conversation_ref: "${{ event.conversation_ref }}"}'),
    "burst": a_burst("debounce: {quiet: 1h}"),
    "burst by key": a_burst("debounce: {quiet: 1h, key: event.conversation_ref}"),
    "burst without a conversation": a_burst_without_a_conversation,
    "answers": answers, "sends to a person": sends_of_a_minute(ANA), "sends": sends_of_a_minute(BO),
    "sends to an alias": sends_under_two_names(ANA, LID),
    "sends to a main name": sends_under_two_names(LID, ANA),
    "echo by id": words_of_a_person(state="unknown", provider_message_id="M1"),
    "echo by words": words_of_a_person(state="unknown"),
    "echo that is waited for": words_of_a_person(state="sending"),
    "echo looked for": words_that_were_there_first, "outbox": a_send_nobody_answered,
    "people": people, "audience": an_audience, "memory": a_memory, "lists": what_a_key_reads,
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("tell", STORIES.values(), ids=list(STORIES))
def test_account_shows_the_same_beside_another_with_the_same_ids(write, post, tell, turn,
                                                                  settings):
    settings.OMNI_SENDS_PER_MINUTE, settings.OMNI_SENDS_PER_PERSON = MOST + 1, MOST
    story = tell(write, post)
    alone = shown(story)

    beside = shown(story, other=story, turn=turn)

    assert beside == alone and "theirs" not in str(beside)
