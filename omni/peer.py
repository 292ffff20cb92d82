"""From which address a request really comes, also behind a reverse proxy."""

import ipaddress
from collections.abc import Sequence
from functools import cache

from django.conf import settings
from django.http import HttpRequest

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


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


def address_of(request: HttpRequest) -> str:
    """Who is behind a request, as somebody to count; "" when nobody can say.

    An IPv6 address counts as its /64, which is what one household is given.
    """
    found = _parsed(peer_of(request.META.get("REMOTE_ADDR", ""),
                            request.headers.get("x-forwarded-for", "")))
    if found is None or _is_trusted(found):
        return ""
    return str(found if found.version == 4 else ipaddress.ip_network((found, 64), strict=False))


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
