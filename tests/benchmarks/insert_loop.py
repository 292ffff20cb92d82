"""The yardstick: archive row and event row of the same schema, one commit each, no web server.

`python -m tests.benchmarks.insert_loop CONNECTIONS SECONDS` prints {committed, seconds, p50_ms,
p99_ms}; DATABASE_URL says where. Two processes share the connections, as threads.
"""

import json
import multiprocessing
import os
import sys
import threading
import time
import uuid

import psycopg

from tests.benchmarks.load import quantile, request

PROCESSES = 2
_RAW = """
INSERT INTO omni_raw_payloads (received_at, instance_id, provider, body, size_bytes, sha256,
                               last_seen_at, headers, content_type, event_count)
VALUES (now(), %s, 'whatsapp_evolution', %s, %s, %s, now(), '{}', 'application/json', 1)
RETURNING id
"""
_EVENT = """
INSERT INTO omni_events (instance_id, provider, raw_id, raw_index, dedup_key, fingerprint,
    event_type, provider_event_type, direction, source, from_me, auto_generated, conversation_ref,
    thread_ref, provider_actor_ref, sender_name, contact_handle, provider_message_id, relation,
    trace_id, text, is_forwarded, is_view_once, mentions_self, occurred_at, occurred_at_source,
    received_at, created_at, content, context, provider_metadata, schema_version, normalizer,
    state, hop)
VALUES (%(instance)s, 'whatsapp_evolution', %(raw)s, 0, %(key)s::text, '0123456789abcdef',
    'message.text', 'messages.upsert/conversation', 'inbound', 'live', false, false, %(jid)s, '',
    %(jid)s, 'Person', '+5511900000000', %(key)s::text, '',
    %(trace)s, %(key)s::text, false, false, false,
    now(), 'provider', now(), now(), '{}', '{}', '{"instance": "bench"}', 1,
    'whatsapp_evolution@1', 'stored', 0)
"""


def _loop(url: str, seconds: float, instance: int, times: list[float]) -> None:
    end = time.perf_counter() + seconds
    with psycopg.connect(url) as connection:
        while time.perf_counter() < end:
            key = uuid.uuid4().hex
            body = request(key, 1)
            before = time.perf_counter()
            raw = connection.execute(_RAW, [instance, body, len(body), key * 2]).fetchone()[0]
            connection.execute(_EVENT, {"instance": instance, "raw": raw, "key": key,
                                        "trace": uuid.uuid4(),
                                        "jid": "5511900000000@s.whatsapp.net"})
            connection.commit()
            times.append(time.perf_counter() - before)


def _process(url: str, connections: int, seconds: float, instance: int, results) -> None:
    times: list[float] = []
    threads = [threading.Thread(target=_loop, args=(url, seconds, instance, times))
               for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(times)


def run(url: str, *, connections: int, seconds: float) -> dict:
    with psycopg.connect(url) as connection:
        instance = connection.execute("SELECT min(id) FROM omni_instances").fetchone()[0]
    results: multiprocessing.Queue = multiprocessing.Queue()
    shares = [connections // PROCESSES or 1] * min(PROCESSES, connections)
    started = time.perf_counter()
    workers = [multiprocessing.Process(target=_process, args=(url, share, seconds, instance,
                                                              results)) for share in shares]
    for worker in workers:
        worker.start()
    times = [value for _ in workers for value in results.get()]
    for worker in workers:
        worker.join()
    return {"committed": len(times), "seconds": time.perf_counter() - started,
            "p50_ms": quantile(times, 0.5) * 1000, "p99_ms": quantile(times, 0.99) * 1000}


if __name__ == "__main__":
    print(json.dumps(run(os.environ["DATABASE_URL"], connections=int(sys.argv[1]),
                         seconds=float(sys.argv[2]))))
