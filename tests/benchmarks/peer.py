"""The other side of a measurement: an Evolution server and an agent that answer at once.

`GET /` returns [[arrival in unix seconds, text], …] of the messages that were sent;
`GET /answered/<text>` is answered as soon as that text was sent. One asyncio protocol and no
framework, so that it takes little of the two cores it shares.
"""

import asyncio
import json
import sys
import time
from typing import Any

_sent: list[tuple[float, str]] = []
_answered: set[str] = set()
_waiting: dict[str, "Peer"] = {}


class Peer(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(rest) < length:
                return
            body, self.buffer = rest[:length], rest[length:]
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def _answer(self, path: str, body: bytes) -> None:
        if path.startswith("/message/"):  # an answer repeats "[name]: text" of its question
            data = json.loads(body)
            text = data.get("text", "").rpartition(": ")[2]
            _sent.append((time.time(), text))
            self.say({"key": {"id": f"OUT{len(_sent)}", "remoteJid": data["number"],
                              "fromMe": True}, "status": "PENDING"}, status=b"201 Created")
            _answered.add(text)
            if asking := _waiting.pop(text, None):
                asking.say({})
        elif path.startswith("/agent"):
            self.say({"text": json.loads(body).get("text", "")})
        elif path.startswith("/answered/"):
            text = path.rpartition("/")[2]
            if text in _answered:
                self.say({})
            else:
                _waiting[text] = self
        else:
            self.say(_sent)

    def say(self, answer: object, *, status: bytes = b"200 OK") -> None:
        text = json.dumps(answer).encode()
        self.transport.write(b"HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                             b"content-length: %d\r\n\r\n%s" % (status, len(text), text))


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
