"""Whether the credentials of a generic webhook can prove a sender in the way its settings name."""

from connections.providers.webhook.config import Credentials, Settings
from connections.secrets.texts import (
    header_fault,
    key_fault,
    named,
    passphrase_fault,
    token_fault,
    wrong_in,
)

TOKENS, SECRETS = ("token", "previous_token"), ("secret", "previous_secrets")
NEEDED = {"header_token": "token", "standard_webhooks": "secret", "hub_signature": "secret"}


def complaints(settings: Settings, credentials: Credentials) -> dict[str, str]:
    """{path: why} of every credential that could never verify or sign.

    A verification that is named needs its credential; the default one may get it later, and
    refuses everything until then.
    """
    named_one = settings.verification
    found: dict[str, str] = {}
    needed = NEEDED.get(named_one, "")
    if needed and "verification" in settings.model_fields_set and not _has(credentials, needed):
        found[f"credentials.{needed}"] = (
            f"is empty, so settings.verification '{named_one}' would refuse everything; fill in "
            f"credentials.{needed} or choose another verification")
    tokens, secrets = named(credentials, TOKENS), named(credentials, SECRETS)
    found |= wrong_in(tokens, token_fault if named_one == "header_token" else header_fault)
    if named_one == "standard_webhooks":
        found |= wrong_in(secrets, key_fault)
    elif named_one == "hub_signature":
        found |= wrong_in(secrets, passphrase_fault)
    found |= wrong_in(named(credentials, ("send_authorization",)), header_fault)
    return found | wrong_in(named(credentials, ("send_secret",)),
                            lambda text: key_fault(text, may_be_public=False))


def _has(credentials: Credentials, needed: str) -> bool:
    return bool(credentials.tokens() if needed == "token" else credentials.secrets())
