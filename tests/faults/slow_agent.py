"""An agent that takes its time: it answers after some seconds, or as soon as it is let go."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class SlowAgent:
    """A loopback server in threads; a context manager. seconds: until it answers."""

    def __init__(self, *, seconds: float) -> None:
        self.asked: Counter[str] = Counter()  # how often each text was asked
        self.answered: list[str] = []
        self._go = threading.Event()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                text = json.loads(self.rfile.read(int(self.headers["content-length"])))["text"]
                agent.asked[text.rpartition(": ")[2]] += 1
                agent._go.wait(seconds)
                agent.answered.append(text)
                answer = json.dumps({"text": text}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

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

    def let_go(self) -> None:
        """Answer everything that waits, and from now on at once."""
        self._go.set()

    def __enter__(self) -> "SlowAgent":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
