"""The port that Omni listens on, seen from outside: is it free, does it answer."""

import http.client
import socket
from errno import EACCES, EADDRINUSE

from omni.errors import InvalidInput

WAY_OUT = "Choose another one with --port or OMNI_PORT"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def check_port(host: str, port: int) -> None:
    """Raises InvalidInput, which names the way out, when the port cannot be listened on."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror as exc:
        raise InvalidInput(f"OMNI_HOST {host!r} is not an address of this machine: "
                           f"{exc.strerror}.", code="host_invalid") from exc
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as exc:
            reasons = {EADDRINUSE: "is taken by another program (perhaps another Omni)",
                       EACCES: "is reserved for root"}
            reason = reasons.get(exc.errno or 0, f"cannot be used: {exc.strerror}")
            raise InvalidInput(f"Port {port} on {host} {reason}. {WAY_OUT}.",
                               code="port_taken") from exc


def answers(host: str, port: int, path: str) -> bool:
    """Whether GET `path` is answered with 200 within a second."""
    visitor = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=1.0)
    try:
        visitor.request("GET", path, headers={"Host": f"localhost:{port}"})
        return visitor.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        visitor.close()
