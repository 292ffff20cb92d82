"""From which address a request really comes, also behind a reverse proxy."""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import cache

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HOUSEHOLD = {4: 32, 6: 64}  # bits of an address that count as one, by version
NETWORK = {4: 24, 6: 48}  # bits that one provider or one rented line has in its hands


def peer_of(address: str, forwarded_for: str) -> str:
    """The address of the sender's machine.

    address: the other end of the connection. forwarded_for: the header X-Forwarded-For, whose last
    entry that OMNI_TRUSTED_PROXIES did not write is the sender: what stands further left, anybody
    may have written, and an untrusted end's header is not read.
    """
    hops = [hop for part in forwarded_for.split(",") if (hop := _bare(part))]
    while hops and _is_trusted(_parsed(address)):
        address = hops.pop()
    return address


def address_of(request: HttpRequest, bits: Mapping[int, int] = HOUSEHOLD) -> str:
    """Who is behind a request, as somebody to count (`network_of`); "" when nobody can say."""
    peer = peer_of(request.META.get("REMOTE_ADDR", ""), request.headers.get("x-forwarded-for", ""))
    return "" if is_ours(peer) else network_of(peer, bits)


def is_ours(peer: str) -> bool:
    """Whether this is a proxy of ours, which did not say who is behind it."""
    return _is_trusted(_parsed(peer))


def network_of(peer: str, bits: Mapping[int, int] = HOUSEHOLD) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one; "" for neither.

    bits: version -> how many of its bits count, where more than a household is meant.
    """
    address = _parsed(peer)
    if address is None:
        return ""
    if bits[address.version] == address.max_prefixlen:
        return str(address)
    return str(ipaddress.ip_network((address, bits[address.version]), strict=False))


def _bare(part: str) -> str:
    """An entry without its port: `[::1]:80`, `10.0.0.1:80`."""
    part = part.strip()
    if part.startswith("["):
        return part[1:].partition("]")[0]
    return part.partition(":")[0] if part.count(":") == 1 else part


def _parsed(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(
        address in network for network in _networks(tuple(settings.OMNI_TRUSTED_PROXIES)))


@cache
def _networks(
        names: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(name.strip(), strict=False) for name in names]
