"""The network address a request came from, also behind a reverse proxy."""

import ipaddress
from collections.abc import Sequence
from functools import cache

from django.conf import settings


def peer_of(address: str, forwarded_for: str) -> str:
    """The address of the sender's machine.

    address: the other end of the connection. forwarded_for: the header X-Forwarded-For, whose last
    entry that OMNI_TRUSTED_PROXIES did not write is the sender; an untrusted end's is not read.
    """
    hops = [hop for part in forwarded_for.split(",") if (hop := _bare(part))]
    while hops and _is_trusted(address):
        address = hops.pop()
    return address


def _bare(part: str) -> str:
    """An entry without its port: `[::1]:80`, `10.0.0.1:80`."""
    part = part.strip()
    if part.startswith("["):
        return part[1:].partition("]")[0]
    return part.partition(":")[0] if part.count(":") == 1 else part


def _is_trusted(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in _networks(tuple(settings.OMNI_TRUSTED_PROXIES)))


@cache
def _networks(
        names: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(name.strip(), strict=False) for name in names]
