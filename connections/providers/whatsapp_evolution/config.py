"""What an instance of this provider is configured with."""

from pydantic import Field, field_validator

from connections.adapter import Config
from connections.secrets.texts import (
    Secrets,
    header_fault,
    named,
    passphrase_fault,
    token_fault,
    wrong_in,
)


class Settings(Config):
    base_url: str = Field("", description="Address of the Evolution API server, with https://.")
    evolution_instance: str = Field("", description="Name of the instance at the server; empty: "
                                    "the slug of this instance.")
    owner_jid: str = Field("", description="The account's own number or JID; usually read from "
                           "the webhook itself.")
    own_lid: str = Field("", description="The account's own LID (…@lid): needed to notice "
                         "mentions and other people's edits in LID chats.")
    ignore_groups: bool = Field(False, description="A new instance at the server leaves groups "
                                "out.")
    webhook_header: str = Field("x-omni-secret", pattern=r"^[A-Za-z0-9-]{1,64}$",
                                description="Header that carries the webhook secret.")
    allow_unsigned: bool = Field(False, description="Accept webhooks nobody proved. Only for the "
                                 "global webhook on a closed network.")
    timeout_seconds: float = Field(30.0, gt=0, le=300, description="Longest wait for an answer.")

    @field_validator("base_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return value.rstrip("/")

    @field_validator("owner_jid")
    @classmethod
    def _is_jid(cls, value: str) -> str:
        if not value or "@" in value:
            return value
        return f"{value.lstrip('+')}@s.whatsapp.net"

    @field_validator("own_lid")
    @classmethod
    def _is_lid(cls, value: str) -> str:
        return value if not value or "@" in value else f"{value}@lid"


class Credentials(Secrets):
    api_key: str = Field("", repr=False, description="Global key or token of the instance.")
    webhook_secret: str = Field("", repr=False, description="Value of the webhook header.")
    webhook_secret_previous: str = Field("", repr=False, description="Still accepted while the "
                                         "secret is being changed.")
    jwt_key: str = Field("", repr=False, description="Key of the bearer token, when the webhook "
                         "was set with a jwt_key header.")
    jwt_key_previous: str = Field("", repr=False, description="Still accepted while the key is "
                                  "being changed.")


def complaints(settings: Settings, credentials: Credentials) -> dict[str, str]:
    """{path: why} of credentials that could never prove the server, or never reach it."""
    found = wrong_in(named(credentials, ("webhook_secret", "webhook_secret_previous")), token_fault)
    found |= wrong_in(named(credentials, ("jwt_key", "jwt_key_previous")), passphrase_fault)
    found |= wrong_in(named(credentials, ("api_key",)), header_fault)
    if ("webhook_header" in settings.model_fields_set
            and not named(credentials, ("webhook_secret", "webhook_secret_previous"))):
        found["credentials.webhook_secret"] = (
            f"is empty, so the header {settings.webhook_header} of settings.webhook_header proves "
            "nothing; fill in credentials.webhook_secret or leave the setting out")
    return found
