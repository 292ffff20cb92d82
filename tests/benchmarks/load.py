"""A sender of webhooks: bare sockets, one request in flight per connection, a process of its own.

`python -m tests.benchmarks.load PORT CONNECTIONS SECONDS RATE TAG` prints one JSON line:
{sent, seconds, refused, p50_ms, p99_ms, moments: {message id: unix seconds}}. RATE 0: no pause.
"""

import asyncio
import json
import sys
import time

from tests.benchmarks.system import SECRET, SLUG

PEOPLE = 500


def request(message_id: str, number: int) -> bytes:
    """One Evolution text message as HTTP bytes, about 600 bytes of body."""
    body = json.dumps({
        "event": "messages.upsert", "instance": SLUG, "destination": "http://omni.example/hook",
        "date_time": "2026-01-02T03:04:05.678Z", "sender": "5511900000000@s.whatsapp.net",
        "server_url": "http://evolution.example", "apikey": "0123456789ABCDEF",
        "data": {
            "key": {"remoteJid": f"55119{number % PEOPLE:08d}@s.whatsapp.net", "fromMe": False,
                    "id": message_id},
            "pushName": f"Person {number % PEOPLE}", "status": "DELIVERY_ACK",
            "message": {"conversation": message_id}, "messageType": "conversation",
            "messageTimestamp": int(time.time()), "instanceId": "0c2f", "source": "android"},
    }).encode()
    return (f"POST /webhooks/whatsapp_evolution/{SLUG}/ HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\nx-omni-secret: {SECRET}\r\n"
            f"content-length: {len(body)}\r\n\r\n").encode() + body


async def send(port: int, *, connections: int, seconds: float, rate: float, tag: str) -> dict:
    moments: dict[str, float] = {}
    times: list[float] = []
    refused = 0
    end = time.perf_counter() + seconds
    numbers = iter(range(10 ** 9))
    started = time.perf_counter()

    async def one() -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            number = next(numbers)
            if rate:
                pause = started + number / rate - time.perf_counter()
                if pause > 0:
                    await asyncio.sleep(pause)
            message_id = f"{tag}{number}"
            moments[message_id] = time.time()
            before = time.perf_counter()
            writer.write(request(message_id, number))
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                          if line.lower().startswith(b"content-length"))
            await reader.readexactly(length)
            times.append(time.perf_counter() - before)
            refused += not head.startswith(b"HTTP/1.1 202")
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return {"sent": len(times), "seconds": time.perf_counter() - started, "refused": refused,
            "p50_ms": quantile(times, 0.5) * 1000, "p99_ms": quantile(times, 0.99) * 1000,
            "moments": moments if rate else {}}


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


if __name__ == "__main__":
    port, connections, seconds, rate, tag = sys.argv[1:]
    print(json.dumps(asyncio.run(send(int(port), connections=int(connections),
                                      seconds=float(seconds), rate=float(rate), tag=tag))))
