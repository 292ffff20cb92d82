"""Which network addresses an outbound call may reach: a deny table of our own.

The standard library's flags miss shared and relay ranges, so the table is spelled out.
Source: IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates).
"""

import ipaddress
import socket
import threading

_DENIED = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23",
    "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10", "ff00::/8")]


def is_public(address: str) -> bool:
    """Whether an IP address in text is one of the open internet's."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    checked = mapped or parsed
    return not any(checked.version == net.version and checked in net for net in _DENIED)


def resolve(host: str, port: int, *, allow_private: bool,
            timeout: float | None = None) -> list[str]:
    """Every address of `host`, resolved once. timeout: seconds.

    Raises OSError when there is none (TimeoutError when that takes too long), PermissionError when
    one of them is private and that is not allowed: one bad address blocks, so that a name cannot
    hide one behind another.
    """
    found = _looked_up(host, port, timeout)
    if not allow_private:
        for address in found:
            if not is_public(address):
                raise PermissionError(
                    f"{host} is {address}, a private address; set OMNI_ALLOW_PRIVATE_ADDRESSES=1 "
                    "when that is meant")
    return found


def _looked_up(host: str, port: int, timeout: float | None) -> list[str]:
    """A name is asked for in a thread of its own: nothing else can be given up."""
    if timeout is None or _is_address(host):
        return _lookup(host, port)
    answers: list[list[str] | OSError] = []

    def ask() -> None:
        try:
            answers.append(_lookup(host, port))
        except OSError as exc:
            answers.append(exc)

    thread = threading.Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    thread.join(max(0.0, timeout))
    if not answers:
        raise TimeoutError(f"the address of {host} was not found within {timeout:.3g} s")
    if isinstance(answers[0], OSError):
        raise answers[0]
    return answers[0]


def _lookup(host: str, port: int) -> list[str]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:  # of the idna codec: a label that is empty or too long
        raise OSError(f"no host can have this name: {exc}") from exc
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return False
    return True
