"""One person is one conversation and one contact, whichever of their addresses an event came under.

Bodies go in at the webhook; what is looked at is what people see: lists, timelines, runs.
"""

import pytest

from actions.models import ContactList
from events.models import Contact, Conversation, ConversationAlias, Event, EventAction
from events.outbox import limits
from events.people import contacts, conversations
from events.store import merging
from omni.audit import AuditEntry
from omni.errors import Held
from registry.engine.route import routing
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.factories import (
    ANA,
    evolution_text,
    make_evolution,
    make_sent,
    post_delivery,
    switch_on,
)
from tests.registry.runs import work

pytestmark = pytest.mark.django_db
LID = "200000000000002@lid"
OWN, OWN_LID = "351911000001@s.whatsapp.net", "900000000000009@lid"
BOTH = {"remoteJidAlt": ANA, "addressingMode": "lid"}


@pytest.fixture
def shop():
    return make_evolution(own_lid=OWN_LID)


@pytest.fixture
def write(client, shop):
    """Deliver a text. chat: the address it comes under; key: what else its key says."""
    def deliver(message_id, *, chat=ANA, account=None, **key):
        return post_delivery(client, account or shop, evolution_text(
            message_id, f"text {message_id}", chat=chat, key=key))

    return deliver


@pytest.fixture
def tell(client, shop):
    """Deliver another event of the server."""
    def deliver(event, data, account=None):
        return post_delivery(client, account or shop, {
            "event": event, "instance": "shop", "sender": OWN, "data": data,
            "date_time": "2026-03-02T09:16:00.000Z"})

    return deliver


def receipt(target, *, chat=LID, status="READ", **more):
    return {"keyId": target, "remoteJid": chat, "fromMe": True, "participant": chat,
            "status": status, "messageId": "row1", **more}


def timeline(**filters):
    page = client_of("read").get("/api/v1/events/", {"event_type": "message.text", **filters})
    assert page.status_code == 200, page.data
    return sorted(event["provider_message_id"] for event in page.data["results"])


def listed(what):
    return client_of("read").get(f"/api/v1/{what}/").data["results"]


@pytest.fixture
def met_apart(write):
    """Ana wrote under her phone, under her LID, and then under both at once."""
    write("M1")
    write("M2", chat=LID)
    write("M3", chat=LID, **BOTH)
    work()


def test_addresses_met_apart_are_one_conversation_once_an_event_names_both(met_apart, write):
    write("M4", chat=LID)
    write("M5")

    [place], [person] = listed("conversations"), listed("contacts")
    younger = Conversation.objects.get(ref=LID)
    assert (place["ref"], place["aliases"], younger.merged_into_id) == (ANA, [LID], place["id"])
    assert {handle["kind"] for handle in person["handles"]} == {"phone", "lid"}
    everything = ["M1", "M2", "M3", "M4", "M5"]
    for name in ({"conversation": place["id"]}, {"conversation": younger.pk},
                 {"conversation_ref": ANA}, {"conversation_ref": LID},
                 {"contact": person["id"]},
                 {"contact": Contact.objects.exclude(pk=person["id"]).get().pk}):
        assert timeline(**name) == everything, name
    assert set(Event.objects.filter(provider_message_id__in=("M4", "M5")).values_list(
        "conversation_id", "contact_id")) == {(place["id"], person["id"])}
    assert Event.objects.get(provider_message_id="M2").conversation == younger


def test_merge_is_an_event_that_names_both_and_why_and_is_in_the_audit_log(met_apart):
    merged = Event.objects.get(event_type="system.conversation.merged")
    said_so = Event.objects.get(provider_message_id="M3")

    assert merged.content["kept"]["ref"] == ANA and merged.content["merged"]["ref"] == LID
    assert merged.content["because"]["event"] == merged.caused_by_id == said_so.pk
    assert (merged.direction, merged.conversation.ref) == ("internal", ANA)
    assert Event.objects.get(event_type="system.contact.merged").caused_by == said_so
    assert set(AuditEntry.objects.values_list("action", flat=True)) >= {
        "conversation.merged", "contact.merged"}


def test_receipt_under_the_other_address_opens_no_second_conversation(write, tell):
    write("M1")
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1"))
    write("M2", chat=LID, **BOTH)
    write("M3")
    work()

    [place] = listed("conversations")
    assert Conversation.objects.count() == 1
    assert Contact.objects.kept().filter(handles__value__in=(LID, "+351922000002")).distinct(
        ).count() == 1
    assert set(Event.objects.exclude(event_type__startswith="system.").values_list(
        "conversation_id", flat=True)) == {place["id"]}
    assert timeline(conversation=place["id"]) == ["M1", "M2", "M3", "OUT1"]


def test_answer_under_an_address_only_a_receipt_named_is_in_the_conversation(write, tell):
    write("OUT1", fromMe=True)
    tell("messages.update", receipt("OUT1"))

    write("M1", chat=LID)

    assert Conversation.objects.count() == 1 and timeline(conversation_ref=ANA) == ["M1", "OUT1"]


@pytest.mark.peers
def test_answer_to_what_the_api_sent_first_is_in_its_conversation(client, httpserver, tell, write):
    httpserver.expect_request("/message/sendText/desk", method="POST").respond_with_json(
        {"key": {"id": "OUT1", "remoteJid": ANA, "fromMe": True}, "status": "PENDING"}, status=201)
    desk = make_evolution("desk", base_url=httpserver.url_for("").rstrip("/"), own_lid=OWN_LID)
    sent = post_json(client_of("send"), "/api/v1/messages/send/",
                     {"instance": "desk", "to": ANA, "text": "hello"})
    assert sent.status_code == 201, sent.data

    tell("messages.update", receipt("OUT1"), account=desk)
    write("M1", chat=LID, account=desk)

    [place] = listed("conversations")
    assert (place["ref"], place["kind"], place["aliases"]) == (ANA, "direct", [LID])
    assert timeline(conversation=place["id"]) == ["M1", "OUT1"]


def test_receipt_that_comes_with_its_message_opens_no_second_conversation(shop, client):
    body = evolution_text("OUT1", key={"fromMe": True})
    body["data"] = [body["data"], {
        "key": {"remoteJid": LID, "fromMe": False, "id": "R1"}, "messageTimestamp": 1772442901,
        "messageType": "reactionMessage", "message": {"reactionMessage": {
            "key": {"remoteJid": LID, "fromMe": True, "id": "OUT1"}, "text": "👍"}}}]
    post_delivery(client, shop, body)
    work()

    assert Conversation.objects.count() == 1
    assert Event.objects.filter(event_type="message.reaction").get().conversation.ref == ANA


@pytest.mark.parametrize(("event", "data"), [
    ("messages.upsert", {"message": {"reactionMessage": {"key": {"id": "M1"}, "text": "👍"}},
                         "messageType": "reactionMessage"}),
    ("messages.delete", None), ("messages.update", None), ("messages.edited", None)])
@pytest.mark.parametrize("is_known", [True, False])
def test_what_is_about_a_message_stands_in_its_conversation(write, tell, event, data, is_known):
    write("M1")
    if is_known:
        write("M2", chat=LID)
    key = {"remoteJid": LID, "fromMe": False, "id": "M1"}
    tell(event, {
        "messages.upsert": {"key": {**key, "id": "R1"}, "messageTimestamp": 1772442901,
                            **(data or {})},
        "messages.delete": key,
        "messages.update": {**receipt("M1"), "fromMe": False},
        "messages.edited": {"key": key, "type": 14, "editedMessage": {"conversation": "new"}},
    }[event])
    work()

    about = Event.objects.get(target_message_id="M1")
    assert about.conversation.ref == ANA
    assert Conversation.objects.count() == (2 if is_known else 1)


def test_receipt_before_its_message_moves_there_when_the_message_comes(write, tell):
    write("M2", chat=LID)
    tell("messages.update", receipt("OUT1"))
    work()
    write("OUT1", fromMe=True)
    work()

    assert Event.objects.get(target_message_id="OUT1").conversation.ref == ANA


def test_reply_that_quotes_a_message_of_elsewhere_stays_where_it_was_written(write, tell):
    write("M1", chat="120363900000000010@g.us", participant=ANA)
    tell("messages.upsert", {
        "key": {"remoteJid": ANA, "fromMe": False, "id": "M2"}, "messageTimestamp": 1772442901,
        "messageType": "extendedTextMessage", "message": {"extendedTextMessage": {
            "text": "privately", "contextInfo": {"stanzaId": "M1", "participant": ANA}}}})
    work()

    assert Event.objects.get(provider_message_id="M2").conversation.ref == ANA


def test_call_that_names_the_phone_joins_both(write, tell):
    write("M1")
    write("M2", chat=LID)

    tell("call", {"chatId": LID, "from": LID, "callerPn": ANA, "id": "C1", "status": "offer"})

    assert [place["ref"] for place in listed("conversations")] == [ANA]
    assert len(listed("contacts")) == 1


@pytest.mark.parametrize("data", [
    {"id": "120363900000000010@g.us", "action": "add", "participants": [LID],
     "participantsData": [{"jid": LID, "phoneNumber": ANA}]},
    {"id": "120363900000000010@g.us", "action": "promote",
     "participants": [{"id": LID, "phoneNumber": ANA}]}])
def test_group_that_names_both_addresses_of_a_member_joins_them(write, tell, data):
    write("M1")
    write("M2", chat=LID)

    tell("group-participants.update", data)

    assert sorted(place["ref"] for place in listed("conversations")) == [data["id"], ANA]
    assert Contact.objects.kept().filter(handles__value__in=(LID, "+351922000002")).distinct(
        ).count() == 1


def test_group_metadata_tells_whose_a_hidden_address_is(write, tell):
    tell("groups.upsert", [{"id": "120363900000000010@g.us", "subject": "Team",
                            "participants": [{"id": LID, "phoneNumber": ANA}]}])

    write("M1", chat="120363900000000010@g.us", participant=LID)

    assert Event.objects.get(provider_message_id="M1").contact_handle == "+351922000002"


WAITS = """\
omni: 1
id: asker
trigger: [{event: message.text, where: event.text == 'text M2'}]
steps:
  - id: answer
    wait: {event: message.text, match: {%s, direction: inbound}, timeout: 1h}
  - {id: after, set: {heard: "${{ steps.answer.output.event.text }}"}}
"""


@pytest.mark.parametrize("match", [
    'conversation: "${{ conversation.id }}"', 'contact: "${{ contact.id }}"',
    'conversation: "${{ event.conversation_id }}"', 'actor: "${{ event.actor_id }}"'])
@pytest.mark.parametrize("remembered", [True, False])
def test_wait_opened_before_the_merge_is_met_by_the_answer_after_it(write, match, remembered):
    switch_on(WAITS % match)
    write("M1")
    write("M2", chat=LID)
    work()
    assert Run.objects.get().state == "waiting"
    write("M3", chat=LID, fromMe=True, **BOTH)
    if not remembered:
        conversations.forget()
        contacts.forget()

    write("M4")
    work()

    run = Run.objects.get()
    assert (run.state, run.output["heard"]) == ("done", "text M4")


def test_wait_is_met_by_an_answer_another_process_filed_under_the_younger(write):
    switch_on(WAITS % 'conversation: "${{ conversation.id }}"')
    write("M1")
    write("M0", chat=LID)
    stale = dict(conversations._known)
    write("M3", chat=LID, fromMe=True, **BOTH)
    conversations.forget()
    conversations._known.update(stale)  # a process that has not heard of the merge
    write("M2")
    work()

    write("M4", chat=LID)
    work()

    assert Run.objects.get().output["heard"] == "text M4"
    assert Event.objects.get(provider_message_id="M4").conversation.ref == ANA


GATE = """\
omni: 1
id: gate
trigger: [{event: message.text, where: not event.from_me}]
steps:
  - uses: guard.blocklist
  - set: {passed: true}
"""


@pytest.mark.parametrize("named_by", ["message", "receipt"])
def test_deny_list_with_the_phone_stops_the_message_under_the_lid(write, tell, shop, named_by):
    blocked = ContactList.objects.create(name="no", purpose="block", instance=shop)
    blocked.entries.create(pattern="+351922000002")
    if named_by == "message":
        write("M1")
        write("M2", chat=LID)
        write("M3", chat=LID, fromMe=True, **BOTH)
    else:
        write("OUT1", fromMe=True)
        tell("messages.update", receipt("OUT1"))
    work()
    switch_on(GATE)

    write("M4", chat=LID)
    work()

    event = Event.objects.get(provider_message_id="M4")
    assert list(EventAction.objects.filter(event=event).values_list("status", flat=True)) == [
        "stopped"]
    if named_by == "message":
        assert event.contact_handle == "+351922000002"


def test_split_gives_both_back_and_no_event_merges_them_again(met_apart, write):
    younger = Conversation.objects.get(ref=LID)
    other = younger.contact

    answer = post_json(client_of("send"), f"/api/v1/conversations/{younger.pk}/split/")
    write("M4", chat=LID, **BOTH)
    write("M5", chat=LID)
    write("M6")

    assert answer.status_code == 200 and answer.data["merged_into"] is None
    assert len(listed("conversations")) == len(listed("contacts")) == 2
    assert not ConversationAlias.objects.exists()
    assert timeline(conversation_ref=LID) == ["M2", "M4", "M5"]
    assert timeline(conversation_ref=ANA) == ["M1", "M3", "M6"]
    assert Event.objects.get(provider_message_id="M5").contact == other
    assert Event.objects.filter(event_type="system.conversation.split").count() == 1
    assert AuditEntry.objects.filter(action="conversation.split").exists()
    again = post_json(client_of("send"), f"/api/v1/conversations/{younger.pk}/split/")
    assert (again.status_code, again.data["code"]) == (409, "not_merged")


def test_split_of_another_process_counts_at_once(met_apart, write):
    write("M4", chat=LID)  # this process knows all names
    known = dict(conversations._known), dict(contacts._known)
    merging.split(Conversation.objects.get(ref=LID), actor="user:ana")
    conversations._known.update(known[0])
    contacts._known.update(known[1])

    write("M5", chat=LID)

    event = Event.objects.get(provider_message_id="M5")
    assert event.conversation.ref == LID
    assert set(event.contact.handles.values_list("value", flat=True)) == {LID}


@pytest.mark.parametrize("own_lid", ["", OWN_LID])
def test_our_own_hidden_address_is_never_an_alias_of_the_chats_we_write_in(write, own_lid):
    desk = make_evolution("desk", own_lid=own_lid)
    write("M1", account=desk, fromMe=True, senderLid=OWN_LID)
    write("M2", account=desk, chat="351933000003@s.whatsapp.net", fromMe=True, senderLid=OWN_LID)
    write("M3", account=desk, recipientLid=OWN_LID)

    assert not ConversationAlias.objects.exists()
    assert [place["ref"] for place in listed("conversations")] == [
        "351933000003@s.whatsapp.net", ANA]


def test_addresses_of_one_account_say_nothing_about_those_of_another(write):
    desk = make_evolution("desk")
    write("M1", account=desk)
    write("M2", account=desk, chat=LID)

    write("M3", chat=LID, **BOTH)
    write("M4", chat=LID)

    write("M5", account=make_evolution("new"))

    assert Conversation.objects.filter(instance=desk).kept().count() == 2
    assert [Event.objects.get(provider_message_id=name).conversation.instance.slug
            for name in ("M4", "M5")] == ["shop", "new"]


def test_key_of_one_account_reads_the_merged_rows_of_its_people(met_apart, shop):
    merged = Contact.objects.get(merged_into__isnull=False)
    ours, foreign = (client_of("read", instances=[account]) for account in (
        shop, make_evolution("desk")))

    assert ours.get(f"/api/v1/contacts/{merged.pk}/").data["merged_into"] == merged.merged_into_id
    assert foreign.get(f"/api/v1/contacts/{merged.pk}/").status_code == 404


def test_workflow_started_by_hand_in_a_merged_conversation_runs_in_the_kept_one(met_apart):
    switch_on("omni: 1\nid: hand\ntrigger: [{manual: true}]\nsteps: [{set: {seen: true}}]\n")
    younger = Conversation.objects.get(ref=LID)

    answer = post_json(client_of(), "/api/v1/workflows/hand/run/",
                       {"instance": "shop", "conversation": younger.pk})

    assert answer.status_code == 202, answer.data
    started = Event.objects.get(pk=answer.data["event"])
    assert (started.conversation.ref, started.contact) == (
        ANA, Contact.objects.kept().get(handles__value=LID))


def test_direct_conversation_says_whose_it_is(write):
    write("M1", fromMe=True)
    write("M2", chat="120363900000000010@g.us", participant=LID)

    [group, direct] = listed("conversations")
    assert (direct["contact"], group["contact"]) == (
        Event.objects.get(provider_message_id="M1").contact_id, None)
    assert [place["ref"] for place in client_of("read").get(
        "/api/v1/conversations/", {"contact": direct["contact"]}).data["results"]] == [ANA]


SENDER = """\
omni: 1
id: sender
trigger: [{event: message.text, where: not event.from_me}]
%s
steps:
  - {uses: route.reply, with: {text: hi}}
"""


def test_runs_of_both_rows_stand_in_one_line(write):
    switch_on(SENDER % "timeout: 2h")
    write("M1")
    write("M2", chat=LID)
    routing.route()
    write("M3", chat=LID, **BOTH)
    routing.route()

    kept = Conversation.objects.get(ref=ANA)
    assert {run.slot_key.partition(":")[2] for run in Run.objects.all()} == {
        f"conversation:{kept.pk}"}
    assert list(Run.objects.order_by("ticket").values_list(
        "event__provider_message_id", flat=True)) == ["M1", "M2", "M3"]


def test_burst_under_two_addresses_is_one_burst(write):
    switch_on(SENDER % "debounce: {quiet: 1h}")
    write("M1")
    write("M0", chat=LID, fromMe=True)
    write("M2", chat=LID, fromMe=True, **BOTH)
    write("M3", chat=LID)
    routing.route()

    assert len(Run.objects.get().batch) == 2


def test_limit_per_person_counts_both_addresses(met_apart, shop, settings):
    settings.OMNI_SENDS_PER_PERSON = 2
    make_sent(shop, ANA, run_id=1)
    make_sent(shop, LID, run_id=1)

    for recipient in (ANA, LID):
        with pytest.raises(Held, match="this person"):
            limits.check(instance_id=shop.pk, recipient=recipient, run_id=1, effect_key="k")
