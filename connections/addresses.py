"""Which network addresses an outbound call may reach: a deny table of our own.

The standard library's flags miss shared and relay ranges, so the table is spelled out.
Source: IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates).
"""

import ipaddress
import socket

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


def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Every address of `host`, resolved once.

    Raises OSError when there is none, PermissionError when one of them is private and that is not
    allowed: one bad address blocks, so that a name cannot hide one behind another.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:  # of the idna codec: a label that is empty or too long
        raise OSError(f"no host can have this name: {exc}") from exc
    found = list(dict.fromkeys(info[4][0] for info in infos))
    if not allow_private:
        for address in found:
            if not is_public(address):
                raise PermissionError(
                    f"{host} is {address}, a private address; set OMNI_ALLOW_PRIVATE_ADDRESSES=1 "
                    "when that is meant")
    return found
