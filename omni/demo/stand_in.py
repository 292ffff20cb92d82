"""A stand-in for an Evolution API server, on loopback only: there is no WhatsApp behind it.

It answers the calls the adapter makes the way the real server does (201 with the message's key),
gives out the files of the demo's voice notes, and tells whoever asked about every message "sent".
What the demo's shop sends to its customers ends here as well.
"""

import base64
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any

_MOST_BYTES = 32 * 1024 * 1024
_MEDIA = "/chat/getBase64FromMediaMessage/"
_STATE = "/instance/connectionState/"
_SHOP = "/shop/answers"


class StandIn:
    """A server of its own until `close`. on_sent(chat, message_id): a message was "sent"."""

    def __init__(self, *, api_key: str, on_sent: Callable[[str, str], None],
                 files: Callable[[], Mapping[str, bytes]]) -> None:
        self._api_key, self._on_sent, self._files = api_key, on_sent, files
        self._last_sent: dict[str, str] = {}
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.2},
                                        name="stand-in", daemon=True)
        self._thread.start()

    def last_sent(self, chat: str) -> str | None:
        """The id of the last message that went to a chat."""
        return self._last_sent.get(chat)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def answer(self, method: str, path: str, api_key: str,
               body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """(status, JSON) for one call, in the words of the real server."""
        if path == _SHOP and method == "POST":
            return 202, {"id": secrets.token_hex(10)}
        if not secrets.compare_digest(api_key.encode(), self._api_key.encode()):
            return 401, {"status": 401, "error": "Unauthorized",
                         "response": {"message": "Unauthorized"}}
        if path.startswith("/message/") and method == "POST":
            return 201, self._sent(body)
        if path.startswith(_MEDIA):
            return self._media(body)
        if path.startswith(_STATE):
            return 200, {"instance": {"instanceName": path.removeprefix(_STATE), "state": "open"}}
        if path.startswith(("/chat/", "/webhook/", "/instance/")):
            return 201, {}
        return 404, {"status": 404, "error": "Not Found",
                     "response": {"message": [f"Cannot {method} {path}"]}}

    def _sent(self, body: dict[str, Any]) -> dict[str, Any]:
        number = str(body.get("number") or _of_key(body).get("remoteJid") or "")
        chat = number if "@" in number else f"{number}@s.whatsapp.net"
        message_id = "3EB0" + secrets.token_hex(8).upper()
        if "reaction" not in body:
            self._last_sent[chat] = message_id
            self._on_sent(chat, message_id)
        return {"key": {"remoteJid": chat, "fromMe": True, "id": message_id},
                "status": "PENDING", "messageTimestamp": int(time()),
                "message": {"conversation": body.get("text") or ""}}

    def _media(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        data = self._files().get(str(_of_key(body.get("message") or {}).get("id")))
        if data is None:
            return 400, {"status": 400, "error": "Bad Request",
                         "response": {"message": ["Message not found"]}}
        return 201, {"base64": base64.b64encode(data).decode(), "mimetype": "audio/wav",
                     "mediaType": "audioMessage", "fileName": "voice.wav"}


def _of_key(body: Any) -> dict[str, Any]:
    key = body.get("key") if isinstance(body, dict) else None
    return key if isinstance(key, dict) else {}


def _handler(owner: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            content = self.rfile.read(min(length, _MOST_BYTES))
            try:
                body = json.loads(content or b"{}")
            except ValueError:
                body = {}
            status, told = owner.answer(self.command, self.path, self.headers.get("apikey", ""),
                                        body if isinstance(body, dict) else {})
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the demo's own log tells of what it plays."""

    return Handler
