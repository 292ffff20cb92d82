"""Which network addresses an outbound call may reach: a deny table of our own.

The standard library's flags miss shared and relay ranges, so the table is spelled out.
Source: IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates, as of 2025-10:
RFC 9637, 9602 and 9780 are the newest), and what IANA gives out of IPv6 (RFC 4291, 2.4).
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence

Allowed = bool | Sequence[str]  # of private addresses: all, none, or these hosts and networks
_PRIVATE = [ipaddress.ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
    "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/3", "4000::/2", "8000::/1",  # all that is not 2000::/3, the only part that is given out
    "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# Where machines of a cloud fetch their own credentials: AWS, Azure, Google, Oracle, Alibaba,
# Scaleway, OpenStack (their documentation, 2026-11). No setting allows these.
_METADATA = [ipaddress.ip_network(text) for text in (
    "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32",
    "fd00:ec2::/32", "fd20:ce::254/128", "fd00:c1::a9fe:a9fe/128", "fd00:42::42/128",
    "fe80::a9fe:a9fe/128")]
# IPv6 networks with an IPv4 address in the last 32 bits: compatible, translated, NAT64.
_CARRIERS = [ipaddress.ip_network(text) for text in (
    "::/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
# NAT64 of a site (RFC 8215). Its translator may use any prefix in it, and RFC 6052, 2.2 says where
# each length puts the IPv4 address, around bits 64 to 71: shifts of its upper and lower part, and
# how many bits the lower part has.
_SITE_NAT64 = [ipaddress.ip_network("64:ff9b:1::/48")]
_EMBEDDINGS = ((64, 40, 16), (64, 32, 24), (56, 24, 32), (0, 0, 32))  # of /48, /56, /64, /96
_HOST = re.compile(r"(?!(.*\.)?\d+\.?\Z)(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\.?")
_WORDS = {"": False, **dict.fromkeys(("0", "false", "no", "off"), False),
          **dict.fromkeys(("1", "true", "yes", "on", "all"), True)}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_public(address: str) -> bool:
    """Whether an IP address in text is one of the open internet's."""
    return not _is_in(_plain(address), _PRIVATE) and not is_metadata(address)


def is_metadata(address: str) -> bool:
    """Whether a cloud keeps credentials there, in any form that a translator would hand on."""
    return any(_is_in(form, _METADATA) for form in _forms(_plain(address)))


def may_reach(host: str, address: str, allowed: Allowed) -> bool:
    """Whether a call to `host` may go to this address of it."""
    if is_metadata(address):
        return False
    if is_public(address) or allowed is True:
        return True
    return bool(allowed) and any(_fits(entry, host, address) for entry in allowed)


def read_allowed(text: str) -> Allowed:
    """OMNI_ALLOW_PRIVATE_ADDRESSES as it is written: yes, no, or a list with commas.

    Raises ValueError that names what is neither a host nor a network.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    if len(entries) < 2 and text.strip().casefold() in _WORDS:
        return _WORDS[text.strip().casefold()]
    wrong = [entry for entry in entries if _network(entry) is None and not _HOST.fullmatch(entry)]
    if wrong:
        raise ValueError("OMNI_ALLOW_PRIVATE_ADDRESSES takes hosts and networks with commas, such "
                         f"as 127.0.0.0/8,evolution.local; not {', '.join(wrong)}")
    return tuple(entries)


def resolve(host: str, port: int, *, allow_private: Allowed,
            timeout: float | None = None) -> list[str]:
    """Every address of `host`, resolved once. timeout: seconds.

    Raises OSError when there is none (TimeoutError when that takes too long), PermissionError when
    one of them is private and that is not allowed: one bad address blocks, so that a name cannot
    hide one behind another.
    """
    found = _looked_up(host, port, timeout)
    for address in found:
        if is_metadata(address):
            raise PermissionError(f"{host} is {address}, where a cloud keeps the credentials of "
                                  "its machines; no call goes there")
        if not may_reach(host, address, allow_private):
            raise PermissionError(f"{host} is {address}, a private address; add the host or its "
                                  "network to OMNI_ALLOW_PRIVATE_ADDRESSES when that is meant")
    return found


def _looked_up(host: str, port: int, timeout: float | None) -> list[str]:
    """A name is asked for in a thread of its own: nothing else can be given up."""
    if timeout is None or _network(host) is not None:
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


def _plain(address: str) -> Address:
    """Without its zone; an IPv4 address that is written as IPv6 as what it is."""
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _forms(address: Address) -> Iterator[Address]:
    """The address, and every IPv4 address inside it."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if _is_in(address, _CARRIERS):
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if _is_in(address, _SITE_NAT64):
            yield from map(ipaddress.IPv4Address, _embedded(int(address)))
        if address.sixtofour:
            yield address.sixtofour
        if address.teredo:
            yield from address.teredo


def _embedded(number: int) -> Iterator[int]:
    """The IPv4 address a translator would read from an IPv6 one, for each length of its prefix."""
    for upper, lower, bits in _EMBEDDINGS:
        high = number >> upper & (1 << 32 - bits) - 1
        yield high << bits | number >> lower & (1 << bits) - 1


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == net.version and address in net for net in networks)


def _fits(entry: str, host: str, address: str) -> bool:
    network = _network(entry)
    if network is None:
        return entry.rstrip(".").casefold() == host.rstrip(".").casefold()
    return _is_in(_plain(address), [network])


def _network(text: str) -> Network | None:
    """An address is a network of one."""
    try:
        return ipaddress.ip_network(text.split("%", 1)[0], strict=False)
    except ValueError:
        return None
