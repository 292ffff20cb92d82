"""Whose an outbound event is: our own echo, by reference, id or words, or a person's."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.envelope import OutboundMessage
from events.models import Conversation, Event, OutboxMessage
from events.outbox import deliver, echoes
from omni.errors import UnknownOutcome
from registry.engine.route import routing
from tests.factories import (
    ANA,
    make_conversation,
    make_event,
    make_evolution,
    make_instance,
    make_sent,
)
from tests.two_connections import Elsewhere

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_instance()


@pytest.fixture
def chat(shop):
    return make_conversation(shop)


def sent(shop, recipient=ANA, **fields):
    """A text whose outcome is not known."""
    return make_sent(shop, recipient, **{"state": "unknown", "request": {"text": "hello"},
                                         **fields})


def echo(shop, chat=None, **fields):
    """An outbound text nobody has routed."""
    return make_event(shop, **{"direction": "outbound", "routed_at": None, "conversation": chat,
                               "conversation_ref": chat.ref if chat else ANA, **fields})


def told(event):
    """Whether it is known as ours now."""
    routing.route()
    event.refresh_from_db()
    assert event.routed_at is not None
    return event.sent_by_omni


@pytest.mark.parametrize("found_by", ["reference", "id", "words", "address"])
def test_echo_is_told_with_all_that_follows_from_its_send(shop, chat, found_by):
    cause = make_event(shop, hop=2)
    fields = {"conversation": chat, "recipient": chat.ref}
    if found_by == "id":
        fields |= {"state": "succeeded", "provider_message_id": "m1"}
    if found_by == "address":
        fields |= {"conversation": None}
    if found_by == "words":
        fields |= {"recipient": "another name of the same chat"}
    row = sent(shop, caused_by=cause, **fields)
    event = echo(shop, chat, provider_message_id="m1",
                 text="other" if found_by in ("reference", "id") else " hello\n",
                 client_ref=row.effect_key if found_by == "reference" else None)

    assert told(event)

    row.refresh_from_db()
    assert (event.client_ref, event.caused_by, event.hop) == (row.effect_key, cause, 3)
    assert (event.trace_id, event.auto_generated) == (cause.trace_id, True)
    assert (row.state, row.provider_message_id) == ("succeeded", "m1")
    if found_by != "id":
        assert (row.resolution, row.event) == ("echo", event)


@pytest.mark.parametrize("event", [
    {"text": "other"}, {"conversation_ref": "somebody else"}, {"direction": "inbound"},
    {"event_type": "message.image", "text": None}, {"event_type": "message.edited"},
    {"source": "history"}, {"source": "import"},
    {"received_at": timezone.now() - timedelta(minutes=30),
     "occurred_at": timezone.now() - timedelta(minutes=30)},
    {"received_at": timezone.now() + timedelta(minutes=30),
     "occurred_at": timezone.now() + timedelta(minutes=30)}],
    ids=["text", "place", "inbound", "kind", "edit", "history", "import", "before", "long after"])
def test_message_that_is_no_echo_settles_nothing(shop, event):
    sent(shop)

    assert not told(echo(shop, **event))
    assert OutboxMessage.objects.get().state == "unknown"


def test_echo_that_was_delivered_late_is_told_by_the_time_it_happened(shop):
    sent(shop)

    assert told(echo(shop, received_at=timezone.now() + timedelta(minutes=30)))


@pytest.mark.parametrize("fields", [
    {"ended_at": timezone.now() - timedelta(seconds=30)},
    {"started_at": timezone.now() + timedelta(hours=1)}, {"resolution": "person_not_sent"}],
    ids=["long after", "before", "a person said so"])
@pytest.mark.parametrize("state", ["rejected", "not_sent"])
def test_message_like_one_that_did_not_go_out_is_a_persons(shop, state, fields):
    sent(shop, state=state, **fields)

    assert not told(echo(shop))
    assert OutboxMessage.objects.get().state == state


@pytest.mark.parametrize("named", [True, False], ids=["by reference", "by words"])
@pytest.mark.parametrize("state", ["rejected", "not_sent"])
def test_echo_of_a_send_that_was_refused_says_it_went_out(shop, state, named):
    row = sent(shop, state=state)

    assert told(echo(shop, client_ref=row.effect_key if named else None))
    row.refresh_from_db()
    assert (row.state, row.resolution) == ("succeeded", "echo")


def test_person_who_repeats_a_message_whose_id_is_known_is_a_person(shop):
    sent(shop, state="succeeded", provider_message_id="m1")

    assert not told(echo(shop, provider_message_id="m2"))


@pytest.mark.parametrize(("request_", "kind", "event"), [
    ({}, "image", {"event_type": "message.image", "text": None}),
    ({"text": "a cat"}, "image", {"event_type": "message.image", "text": "a cat"}),
    ({"content": {"name": "Lunch?"}}, "poll", {"event_type": "message.poll", "text": "Lunch?"}),
    ({"target_message_id": "m7"}, "delete", {
        "event_type": "message.deleted", "text": None, "target_message_id": "m7"}),
    ({"target_message_id": "m7", "text": "new"}, "edit", {
        "event_type": "message.edited", "text": "new", "target_message_id": "m7"}),
    ({"target_message_id": "m7"}, "reaction", {
        "event_type": "message.reaction_removed", "text": None, "target_message_id": "m7"})])
def test_what_has_no_text_is_told_by_its_kind_and_target(shop, request_, kind, event):
    sent(shop, kind=kind, request=request_)

    assert told(echo(shop, **event))


@pytest.mark.parametrize(("request_", "kind", "event"), [
    ({}, "image", {"event_type": "message.image", "text": "by hand"}),
    ({}, "image", {"event_type": "message.video", "text": None}),
    ({"target_message_id": "m7"}, "delete", {
        "event_type": "message.deleted", "text": None, "target_message_id": "m8"})])
def test_other_media_and_other_targets_are_a_persons(shop, request_, kind, event):
    sent(shop, kind=kind, request=request_)

    assert not told(echo(shop, **event))


def test_each_echo_settles_one_send_the_oldest_first(shop):
    first, second = sent(shop), sent(shop)

    one = echo(shop)
    assert told(one)
    states = dict(OutboxMessage.objects.values_list("pk", "state"))
    assert states == {first.pk: "succeeded", second.pk: "unknown"}

    two, three = echo(shop), echo(shop)
    assert (told(two), told(three)) == (True, False)
    assert list(OutboxMessage.objects.order_by("id").values_list("event_id", flat=True)) == [
        one.pk, two.pk]


def test_sent_message_without_an_id_has_one_echo(shop):
    sent(shop, state="succeeded")

    one, two = echo(shop), echo(shop)

    assert (told(one), told(two)) == (True, False)


def test_every_event_of_one_message_is_ours(shop):
    """A provider tells a message twice, with other details: the second is a revision."""
    sent(shop)
    one = echo(shop, provider_message_id="m1")
    two = echo(shop, provider_message_id="m1", context={"revision_of": one.pk})

    while routing.route():
        pass

    assert [event.sent_by_omni for event in Event.objects.filter(direction="outbound")] == (
        [True, True])
    assert OutboxMessage.objects.get().event == one and two.pk > one.pk


def under_way(shop, **fields):
    return sent(shop, **{"state": "sending", **fields})


@pytest.mark.parametrize("text", ["hello", "other"])
def test_nobody_is_taken_for_a_person_while_a_send_is_under_way(shop, text):
    under_way(shop)
    event = echo(shop, text=text)

    assert routing.route() == 0
    event.refresh_from_db()
    assert event.routed_at is None


@pytest.mark.parametrize(("send", "event"), [
    ({"recipient": "somebody else"}, {}), ({}, {"direction": "inbound"}),
    ({}, {"event_type": "message.status.read"}), ({}, {"client_ref": "known"}),
    ({"started_at": timezone.now() + timedelta(minutes=5)}, {}),
    ({"state": "succeeded", "provider_message_id": "m1"}, {"text": "by hand"})],
    ids=["elsewhere", "inbound", "receipt", "known", "sent later", "answered"])
def test_what_a_send_under_way_says_nothing_about_is_routed_at_once(shop, send, event):
    under_way(shop, **send)
    echo(shop, **event)

    assert routing.route() == 1


BEA = "351922000003@s.whatsapp.net"
HIDDEN = "200000000000002@lid"


@pytest.fixture
def phone():
    """A WhatsApp account, where one place has several names."""
    return make_evolution()


def sent_to(phone, *refs, state="unknown"):
    return [sent(phone, ref, conversation=Conversation.objects.get_or_create(
        instance=phone, ref=ref, defaults={"kind": "direct"})[0], state=state) for ref in refs]


@pytest.fixture
def hidden(phone):
    """Somebody's hidden address, where nobody has written yet."""
    return make_conversation(phone, HIDDEN)


def test_echo_under_a_new_name_is_the_oldest_send_to_the_only_address(phone, hidden):
    first, second = sent_to(phone, ANA, ANA)

    assert told(echo(phone, hidden)) and told(echo(phone, hidden))
    assert not told(echo(phone, hidden))
    assert list(OutboxMessage.objects.order_by("id").values_list("pk", "state")) == [
        (first.pk, "succeeded"), (second.pk, "succeeded")]


def test_echo_under_a_new_name_settles_nothing_when_two_people_were_sent_it(phone, hidden):
    sent_to(phone, ANA, BEA)

    assert not told(echo(phone, hidden))
    assert not OutboxMessage.objects.exclude(state="unknown").exists()


def test_echo_under_a_new_name_settles_no_send_of_another_account(phone, hidden):
    sent_to(make_evolution("other"), ANA)

    assert not told(echo(phone, hidden))


def test_reference_of_another_account_settles_nothing(shop):
    row = sent(make_instance("other"))

    echo(shop, client_ref=row.effect_key)
    routing.route()

    row.refresh_from_db()
    assert row.state == "unknown"


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_place_where_somebody_wrote_before_is_another_place(phone, hidden, direction):
    sent_to(phone, ANA)
    make_event(phone, conversation=hidden, direction=direction, conversation_ref=HIDDEN)

    assert not told(echo(phone, hidden))


def test_second_hidden_address_of_somebody_is_somebody_elses(phone, hidden):
    row = sent_to(phone, ANA)[0]
    row.conversation.aliases.create(instance=phone, ref="200000000000009@lid")

    assert not told(echo(phone, hidden))


@pytest.mark.parametrize(("text", "routed"), [("by hand", 1), ("hello", 0)])
def test_new_place_waits_for_sends_of_the_same_words_only(phone, hidden, text, routed):
    sent_to(phone, ANA, state="sending")
    echo(phone, hidden, text=text)

    assert routing.route() == routed


def test_looking_back_leaves_what_may_be_of_a_send_to_another_person(phone, hidden):
    row = sent_to(phone, ANA)[0]
    sent_to(phone, BEA, state="sending")
    echo(phone, hidden)

    assert echoes.look_back([row.pk]) == set()


@pytest.mark.parametrize(("text", "ours"), [("hello", True), ("by hand", False)])
def test_call_without_an_end_is_not_waited_for_longer_than_a_minute(shop, text, ours):
    under_way(shop, started_at=timezone.now() - timedelta(seconds=61))

    assert told(echo(shop, text=text)) is ours


def give_up(shop, key="e:1", text="hello", meanwhile=lambda: None):
    """A send that times out; `meanwhile` is what happens before it does."""
    def call(_):
        meanwhile()
        raise UnknownOutcome("no answer")

    return deliver.perform(instance=shop, effect_key=key, kind="text", recipient=ANA,
                           request={"text": text}, call=call)


def test_send_that_times_out_looks_back_for_its_echo(shop):
    assert give_up(shop, meanwhile=lambda: echo(shop, provider_message_id="m1")).state == (
        "succeeded")

    row, event = OutboxMessage.objects.get(), Event.objects.get()
    assert (row.resolution, row.event, row.provider_message_id) == ("echo", event, "m1")
    assert told(event)


def test_looking_back_leaves_the_echoes_of_other_sends(shop):
    give_up(shop, "e:1", meanwhile=lambda: echo(shop))

    told_of = give_up(shop, "e:2", meanwhile=lambda: None)

    assert told_of.state == "unknown"


def test_echo_that_may_be_of_a_send_still_under_way_waits_for_its_answer(shop):
    def meanwhile():
        under_way(shop, effect_key="e:2")
        echo(shop, provider_message_id="m2")

    assert give_up(shop, meanwhile=meanwhile).state == "unknown"
    assert routing.route() == 0

    OutboxMessage.objects.filter(effect_key="e:2").update(state="succeeded",
                                                          provider_message_id="m2")
    event = Event.objects.get()
    assert told(event) and event.client_ref == "e:2"
    assert OutboxMessage.objects.get(effect_key="e:1").state == "unknown"


def test_answer_after_the_echo_was_told_is_what_counts(shop):
    """The call ends long after the echo was told by its words, and nobody knows how."""
    def meanwhile():
        OutboxMessage.objects.update(started_at=timezone.now() - timedelta(seconds=90))
        assert told(echo(shop))
        assert OutboxMessage.objects.get().state == "succeeded"

    assert give_up(shop, meanwhile=meanwhile).state == "succeeded"


@pytest.mark.parametrize(("outbound", "statements"), [(0, 0), (1, 2), (20, 2)])
def test_telling_costs_one_look_and_one_write_for_a_whole_batch(shop, outbound, statements):
    events = [echo(shop, text=str(number)) for number in range(outbound)]
    for number in range(outbound):
        sent(shop, request={"text": str(number)})
    events.append(make_event(shop))

    with CaptureQueriesContext(connection) as queries:
        echoes.recognize(events)

    assert len(queries) == statements


def test_persons_message_costs_one_look(shop):
    event = echo(shop)

    with CaptureQueriesContext(connection) as queries:
        echoes.recognize([event])

    assert len(queries) == 1


def test_message_of_the_api_is_settled_as_well(shop, httpserver):
    httpserver.expect_request("/out").respond_with_json({}, status=500)
    shop.settings = {"send_url": httpserver.url_for("/out")}

    first = deliver.send(OutboundMessage(kind="text", to=ANA, text="hi"), instance=shop,
                         effect_key="api:1")

    assert first.state == "unknown" and told(echo(shop, text="hi"))
    assert OutboxMessage.objects.get().state == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_of_two_echoes_at_two_routers_one_is_told_as_ours():
    """The second is a person's, who wrote the same words."""
    shop = make_instance()
    chat = make_conversation(shop)
    sent(shop, conversation=chat)
    events = [echo(shop, chat, provider_message_id=name) for name in ("m1", "m2")]

    with transaction.atomic():
        routing.route(1)
        other = Elsewhere(routing.route)
        assert other.waits_for()
    other.gives()
    routing.route()

    assert [Event.objects.get(pk=event.pk).sent_by_omni for event in events] == [True, False]
