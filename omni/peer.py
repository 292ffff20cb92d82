"""From which address a request really comes."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """The peer's address, "" when nobody can say.

    Behind a proxy of OMNI_TRUSTED_PROXIES it is the right-most address of X-Forwarded-For that is
    no such proxy: what stands further left, anybody may have written. An IPv6 address counts as
    its /64, which is what one household is given.
    """
    told = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",")]
    for text in (request.META.get("REMOTE_ADDR", ""), *reversed(told)):
        try:
            address = ipaddress.ip_address(text.split("%", 1)[0])
        except ValueError:
            return ""
        address = getattr(address, "ipv4_mapped", None) or address
        if not _is_trusted(address):
            return _place(address)
    return ""


def _is_trusted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in ipaddress.ip_network(network, strict=False)
               for network in settings.OMNI_TRUSTED_PROXIES)


def _place(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
