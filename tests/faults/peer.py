"""The other side: an Evolution server, an `http` agent that echoes, a language and a speech model
and Slack, recording every call.
"""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Peer:
    """A loopback server in threads. seconds: how long it takes for an answer."""

    def __init__(self, *, seconds: float = 0.04) -> None:
        self.sent: list[dict[str, Any]] = []  # bodies of /message/sendText, in order
        self.asked: list[dict[str, Any]] = []  # bodies of /agent
        self.posted: list[dict[str, Any]] = []  # bodies of Slack's chat.postMessage
        self.says = "ok"  # what the language model answers
        self._lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                data = self.rfile.read(length)
                if len(data) < length:  # its caller was killed before the body was out
                    self.close_connection = True
                    return
                body = json.loads(data) if data.startswith((b"{", b"[")) else {}
                status, answer = peer.answer(self.path, body)
                threading.Event().wait(seconds)  # so that a kill falls into a call
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: Any) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_arguments: Any) -> None:
                """A caller that was killed broke off: no trace on the terminal."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            if path == "/agent":
                self.asked.append(body)
                return 200, {"text": body["text"]}
            if path.startswith("/message/sendText/"):
                self.sent.append(body)
                return 201, {"key": {"id": f"OUT{len(self.sent)}", "fromMe": True,
                                     "remoteJid": body["number"]}, "status": "PENDING"}
            if path.endswith("/audio/transcriptions"):
                return 200, {"text": "what was said", "language": "en"}
            if path.endswith("/chat/completions"):
                return 200, {"choices": [{"message": {"content": self.says}}]}
            if path.endswith("/chat.postMessage"):
                self.posted.append(body)
                return 200, {"ok": True, "ts": f"{len(self.posted)}.0", "channel": "C1"}
            return 201, {}

    def replies(self) -> Counter[str]:
        """How often each text was sent; an echo repeats "[name]: text" of its question."""
        with self._lock:
            return Counter(body["text"].rpartition(": ")[2] for body in self.sent)

    def texts(self, tag: str) -> list[str]:
        """Every text that was sent and holds the tag, in alphabetical order."""
        with self._lock:
            return sorted(body["text"] for body in self.sent if tag in body["text"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
