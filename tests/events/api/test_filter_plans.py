"""No filter of a list walks its table: what a page throws away does not grow with the rows.

Every list has 20,000 rows; what is asked for is in the oldest 30 of them, the worst place for
pages that begin with the newest. The plans are those PostgreSQL really takes.
"""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from events.api.rows import (
    ContactViewSet,
    ConversationViewSet,
    EventActionViewSet,
    EventViewSet,
    OutboxViewSet,
    RawPayloadViewSet,
)
from events.models import Contact, Conversation, Event
from tests.api_client import client_of
from tests.factories import NOON, make_instance
from tests.plans import wasted

pytestmark = pytest.mark.django_db
ROWS, OLD = 20_000, 30
THROWN_AWAY = 500  # rows; what a page of 50 may look at in vain
# Words are compared with every text the other filters leave; "none" is the absence of rows.
READS_TEXT = {"q"}
LISTS = {"events": EventViewSet, "raw-payloads": RawPayloadViewSet,
         "event-actions": EventActionViewSet, "conversations": ConversationViewSet,
         "contacts": ContactViewSet, "outbox": OutboxViewSet}
ASKED = {
    "events": {"instance": "old", "provider": "webchat", "event_type": "custom.old",
               "conversation": "{place}", "conversation_ref": "place-3", "contact": "{person}",
               "actor": "actor-old", "direction": "internal",
               "since": "2026-03-03T18:10:00Z", "until": "2026-03-02T12:00:20Z",
               "action_outcome": "failed"},
    "raw-payloads": {"instance": "old", "provider": "webchat", "dead_letters": "true",
                     "reason": "bad_utf8", "since": "2026-03-03T18:10:00Z",
                     "until": "2026-03-02T12:00:20Z"},
    "event-actions": {"instance": "old", "event": "{event}", "run": "3", "workflow": "old",
                      "action": "route.old", "status": "failed"},
    "conversations": {"instance": "old", "kind": "ticket", "contact": "{person}",
                      "ref": "place-3"},
    "contacts": {"label": "old", "handle": "+3"},
    "outbox": {"instance": "old", "state": "rejected", "kind": "poll", "run": "3",
               "since": "2026-03-03T18:10:00Z", "until": "2026-03-02T12:00:20Z"},
}
SOME = [(name, key, value) for name, asked in ASKED.items() for key, value in asked.items()] + [
    ("events", "event_type", "custom.*"), ("conversations", "ref", "alias-3")]


_FILL = """
CREATE TEMPORARY TABLE many ON COMMIT DROP AS
SELECT n, n < %(few)s AS few, CASE WHEN n < %(few)s THEN %(old)s ELSE %(shop)s END AS account,
       CASE WHEN n < %(few)s THEN 'webchat' ELSE 'webhook' END AS provider,
       %(noon)s::timestamptz + n * interval '5.5 s' AS moment,
       nextval('omni_contacts_id_seq') AS person, nextval('omni_handles_id_seq') AS handle,
       nextval('omni_conversations_id_seq') AS place, nextval('omni_events_id_seq') AS event
FROM (SELECT generate_series(0, %(rows)s - 1) AS n ORDER BY 1) numbers;
INSERT INTO omni_contacts (id, name, labels, attributes, created_at)
SELECT person, 'Ana ' || n, CASE WHEN few THEN '["old"]' ELSE '["vip"]' END::jsonb, '{}', moment
FROM many;
INSERT INTO omni_handles (id, provider, scope, kind, value, contact_id, confidence, linked_by,
                          verified, created_at)
SELECT handle, provider, '', 'phone', '+' || n, person, 1, 'sender', false, moment FROM many;
INSERT INTO omni_handle_instances (handle_id, instance_id) SELECT handle, account FROM many;
INSERT INTO omni_conversations (id, instance_id, ref, kind, title, tags, contact_id, created_at)
SELECT place, account, 'place-' || n, CASE WHEN few THEN 'ticket' ELSE 'direct' END, '', '[]',
       person, moment FROM many;
INSERT INTO omni_conversation_aliases (instance_id, ref, conversation_id)
SELECT account, 'alias-' || n, place FROM many;
INSERT INTO omni_events (
    id, instance_id, provider, dedup_key, event_type, direction, conversation_id, contact_id,
    text, provider_actor_ref, occurred_at, received_at, created_at, routed_at, trace_id, raw_index,
    fingerprint, provider_event_type, source, from_me, auto_generated, conversation_ref,
    thread_ref, sender_name, contact_handle, relation, is_forwarded, is_view_once, mentions_self,
    occurred_at_source, content, context, provider_metadata, schema_version, normalizer, state,
    hop)
SELECT event, account, provider, 'm:' || n, CASE WHEN few THEN 'custom.old' ELSE 'message.text' END,
       CASE WHEN few THEN 'internal' ELSE 'inbound' END, place, person, 'hello ' || n,
       CASE WHEN few THEN 'actor-old' ELSE 'actor-' || n %% 500 END, moment, moment, moment, moment,
       gen_random_uuid(), 0, '', '', 'live', false, false, '', '', '', '', '', false, false, false,
       'provider', '{}', '{}', '{}', 1, '', 'stored', 0
FROM many;
INSERT INTO omni_event_actions (
    instance_id, event_id, run_id, path, workflow, action, status, started_at, ended_at,
    duration_ms, iteration, attempt, step_id, step_kind, code, reason, final, token)
SELECT account, event, n, 'steps[0]', CASE WHEN few THEN 'old' ELSE 'new' END,
       CASE WHEN few THEN 'route.old' ELSE 'route.reply' END,
       CASE WHEN few THEN 'failed' ELSE 'done' END, moment, moment, 1, '', 1, '', 'action', '', '',
       true, 0
FROM many;
INSERT INTO omni_outbox (
    instance_id, effect_key, kind, state, run_id, created_at, recipient, request, request_hash,
    attempts, token, error, error_code, answer, resolution)
SELECT account, 'e:' || n, CASE WHEN few THEN 'poll' ELSE 'text' END,
       CASE WHEN few THEN 'rejected' ELSE 'succeeded' END, n, moment, '', '{}', 'x', 1, '', '', '',
       '{}', ''
FROM many;
INSERT INTO omni_raw_payloads (
    instance_id, provider, received_at, last_seen_at, body, size_bytes, sha256, quarantine_reason)
SELECT account, provider, moment, moment, '{}', 2, n::text, CASE WHEN few THEN 'bad_utf8' ELSE ''
       END
FROM many;
"""


@pytest.fixture(scope="module")
def store(django_db_setup, django_db_blocker):
    """Numbers of what is old: {event, place, person}."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield _stored()
        transaction.set_rollback(True)


def _stored():
    shop, old = make_instance("shop"), make_instance("old", "webchat")
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"shop": shop.pk, "old": old.pk, "rows": ROWS, "few": OLD,
                               "noon": NOON})
        cursor.execute("ANALYZE")
    return {"event": Event.objects.get(dedup_key="m:3").pk,
            "place": Conversation.objects.get(ref="place-3").pk,
            "person": Contact.objects.get(name="Ana 3").pk}


@pytest.mark.parametrize("name", LISTS)
def test_every_filter_of_a_list_is_tried(name):
    assert set(LISTS[name].filterset_class.base_filters) == {*ASKED[name], *(
        READS_TEXT if "q" in LISTS[name].filterset_class.base_filters else ())}


@pytest.mark.parametrize(("name", "key", "value"), SOME)
def test_filter_reads_no_more_than_it_shows(store, name, key, value):
    client = client_of("read")
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/api/v1/{name}/", {key: value.format(**store)})

    assert answer.status_code == 200 and answer.data["results"], answer.content
    for query in asked:
        if query["sql"].lstrip().startswith(("SELECT", "WITH")):
            rows, plan = wasted(query["sql"])
            assert rows <= THROWN_AWAY, (rows, query["sql"][-400:], plan)
