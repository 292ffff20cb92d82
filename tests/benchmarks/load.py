"""A sender of webhooks: bare sockets, one request in flight per connection, a process of its own.

`python -m tests.benchmarks.load PORT CONNECTIONS SECONDS TAG [--rate R] [--count N] [--peer PORT]
[--slug S]` prints one JSON line: {sent, seconds, refused, p50_ms, p99_ms, moments: {message id:
unix seconds}}. Without a rate it does not pause; with a peer a connection sends its next message
when the one before was answered, so that CONNECTIONS messages are under way.
"""

import argparse
import asyncio
import json
import time

from tests.benchmarks.system import SECRET, SLUG

PEOPLE = 500


def request(message_id: str, number: int, *, slug: str = SLUG, from_me: bool = False) -> bytes:
    """One Evolution text message as HTTP bytes, about 600 bytes of body."""
    body = json.dumps({
        "event": "messages.upsert", "instance": slug, "destination": "http://omni.example/hook",
        "date_time": "2026-01-02T03:04:05.678Z", "sender": "5511900000000@s.whatsapp.net",
        "server_url": "http://evolution.example", "apikey": "0123456789ABCDEF",
        "data": {
            "key": {"remoteJid": f"55119{number % PEOPLE:08d}@s.whatsapp.net", "fromMe": from_me,
                    "id": message_id},
            "pushName": f"Person {number % PEOPLE}", "status": "DELIVERY_ACK",
            "message": {"conversation": message_id}, "messageType": "conversation",
            "messageTimestamp": int(time.time()), "instanceId": "0c2f", "source": "android"},
    }).encode()
    return (f"POST /webhooks/whatsapp_evolution/{slug}/ HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\nx-omni-secret: {SECRET}\r\n"
            f"content-length: {len(body)}\r\n\r\n").encode() + body


class Connection:
    """One keep-alive connection; `ask` returns the status line's number."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, data: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        await reader.readexactly(length)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


async def send(port: int, *, connections: int, seconds: float, tag: str, rate: float = 0,
               count: int = 10 ** 9, peer: int = 0, slug: str = SLUG) -> dict:
    moments: dict[str, float] = {}
    times: list[float] = []
    refused = 0
    started = time.perf_counter()
    end = started + seconds
    numbers = iter(range(count))

    async def one() -> None:
        nonlocal refused
        door, answers = Connection(port), Connection(peer)
        while time.perf_counter() < end and (number := next(numbers, None)) is not None:
            if rate:
                pause = started + number / rate - time.perf_counter()
                if pause > 0:
                    await asyncio.sleep(pause)
            message_id = f"{tag}{number}"
            moments[message_id] = time.time()
            before = time.perf_counter()
            status = await door.ask(request(message_id, number, slug=slug))
            times.append(time.perf_counter() - before)
            refused += status != 202
            if peer and status == 202:
                await answers.ask(f"GET /answered/{message_id} HTTP/1.1\r\n\r\n".encode())
        door.close()
        answers.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return {"sent": len(times), "seconds": time.perf_counter() - started, "refused": refused,
            "p50_ms": quantile(times, 0.5) * 1000, "p99_ms": quantile(times, 0.99) * 1000,
            "moments": moments if rate else {}}


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("tag")
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--count", type=int, default=10 ** 9)
    parser.add_argument("--peer", type=int, default=0)
    parser.add_argument("--slug", default=SLUG)
    print(json.dumps(asyncio.run(send(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
