"""Addresses and secrets: a stored secret does not follow an address that moves, and none stands in
an address. Pure.

Otherwise whoever may change an address could read what nobody may read, by sending it to himself.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

Addresses = Mapping[str, tuple[str, ...]]  # setting -> names of the credentials that are sent there


def need_again(addresses: Addresses, *, before: Mapping[str, Any], after: Mapping[str, Any],
               stored: Mapping[str, Any], given: Collection[str]) -> dict[str, list[str]]:
    """Names of stored credentials by the moved address that asks for them again.

    before, after: settings. given: names that are written or removed in the same change.
    """
    found = {}
    for setting, names in addresses.items():
        address = _spelled(after.get(setting))
        if address and address != _spelled(before.get(setting)):
            kept = [name for name in names if stored.get(name) and name not in given]
            if kept:
                found[setting] = kept
    return found


def told(missing: Mapping[str, list[str]]) -> str:
    """What to do about `need_again`, "" when it found nothing."""
    return "; ".join(f"give {', '.join(names)} again, or remove what is not needed: {setting} has "
                     "changed, and stored secrets are not sent to a new address"
                     for setting, names in missing.items())


def address_fault(address: Any) -> str:
    """Why an address may not be kept where it is shown ("" when it may); repeats nothing of it."""
    try:
        place = urlsplit(_spelled(address).replace("\\", "/")).netloc
    except ValueError:  # brackets around no IPv6 address, signs that NFKC turns into / or @
        return "is no address: its host cannot be read; write it like https://example.org:8080"
    if "@" in place:
        return ("holds a name or password before the @, and addresses are shown; leave them out "
                "and use the credentials")
    return ""


def _spelled(address: Any) -> str:
    return str(address or "").strip().rstrip("/")
