"""What a person configures for a generic webhook: proof, mapping and where answers go."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connections.adapter import CONCERNS_OTHERS, Config
from connections.envelope import is_kind
from connections.providers.webhook.paths import HEADER, compile_path
from connections.providers.webhook.times import zone
from connections.secrets.texts import Secrets

PATH_FIELDS = ("type", "id", "time", "conversation", "conversation_title", "sender", "sender_name",
               "text", "subject", "message_id", "target", "direction")


class Rules(Config):
    """Where the parts of an event sit in a payload. All paths are optional.

    A path is `a.b[0].c`, `"a.b".c` for a name with a dot, `a|json.b` for JSON in the text at `a`,
    or `header:x-name`. In CloudEvents a path starts at the envelope: `data.text`.
    """

    event_type: str = Field("", description="One kind for everything, such as custom.order_paid or "
                            "message.text.")
    type: str = Field("", description="Path of the native type.")
    types: dict[str, str] = Field(default_factory=dict, description="Native type to kind. A type "
                                  "that is not listed becomes custom.<type>.")
    id: str = Field("", description="Path of what names the event; equal ids are one event.")
    time: str = Field("", description="Path of the moment it happened.")
    time_unit: Literal["auto", "s", "ms", "us", "ns", "iso"] = "auto"
    time_zone: str = Field("UTC", description="Zone of times that carry none: Europe/Lisbon, "
                           "+02:00.")
    conversation: str = Field("", description="Path of the place it happened in; of a "
                              "CloudEvent its subject, unless a path is given.")
    conversation_title: str = Field("", description="Path of that place's name.")
    sender: str = Field("", description="Path of who did it.")
    sender_name: str = Field("", description="Path of that person's name.")
    text: str = Field("", description="Path of the text.")
    subject: str = Field("", description="Path of the title.")
    message_id: str = Field("", description="Path of the id of the message the event introduces.")
    target: str = Field("", description="Path of the id of the message the event is about.")
    direction: str = Field("", description="Path of in or out; missing means in.")

    @field_validator("event_type")
    @classmethod
    def _kind(cls, value: str) -> str:
        if value and not is_kind(value):
            raise ValueError(f"'{value}' is no kind; write custom.<name> or a kind of the list")
        return value

    @field_validator("types")
    @classmethod
    def _kinds(cls, value: dict[str, str]) -> dict[str, str]:
        for native, kind in value.items():
            if not is_kind(kind):
                raise ValueError(f"'{native}' maps to '{kind}', which is no kind; write "
                                 "custom.<name> or a kind of the list")
        return value

    @field_validator(*PATH_FIELDS)
    @classmethod
    def _path(cls, value: str) -> str:
        if not value.startswith(HEADER):
            compile_path(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone(value)
        return value


class Settings(Config):
    verification: Literal["standard_webhooks", "hub_signature", "header_token", "none"] = Field(
        "header_token", description="How a sender proves itself.")
    allow_unsigned: bool = Field(False, description="Needed for verification 'none': whoever knows "
                                 "the address can post.")
    token_header: str = Field("x-webhook-token", pattern=r"^[A-Za-z0-9-]{1,100}$",
                              description="Header that carries the token; with 'authorization' a "
                              "leading Bearer is ignored.")
    allowed_origins: list[str] = Field(default_factory=list, description="Who may ask for delivery "
                                       "with OPTIONS (CloudEvents); empty: everyone.")
    mapping: Rules | None = Field(None, description="Without it everything is webhook.received.")
    trust_handles: bool = Field(False, json_schema_extra=CONCERNS_OTHERS, description="Phones and "
                                "mails in the payload are proven by the sender, so they name the "
                                "same person at the other webhooks of the people group that say "
                                "so; else they count here only.")
    dedup_minutes: int = Field(0, ge=0, le=1440, description="Bodies without an id that are equal "
                               "byte for byte within the same window of so many minutes are one "
                               "event; 0: every delivery is an event.")
    send_url: str = Field("", pattern=r"^(https?://\S+)?$", description="Where outbound messages "
                          "are posted.")
    send_timeout: float = Field(15.0, ge=1, le=120, description="Seconds to wait for an answer.")
    send_idempotent: bool = Field(False, description="The target honours Idempotency-Key, so a "
                                  "step with retry repeats a send without an answer.")
    answer_id: str = Field("id", description="Path of the message id in the target's answer.")

    @model_validator(mode="after")
    def _unsigned_on_purpose(self) -> Self:
        if self.verification == "none" and not self.allow_unsigned:
            raise ValueError("verification 'none' needs allow_unsigned: true")
        return self

    @field_validator("answer_id")
    @classmethod
    def _path(cls, value: str) -> str:
        compile_path(value)
        return value


class Credentials(Secrets):
    token: str = Field("", repr=False, description="Value of the token header.")
    previous_token: str = Field("", repr=False, description="Still accepted while senders change.")
    secret: str = Field("", repr=False, description="Shared secret of the signature: whsec_... or "
                        "whpk_... (public key) for Standard Webhooks, any text for X-Hub-Signature-"
                        "256.")
    previous_secrets: list[str] = Field(default_factory=list, max_length=5, repr=False,
                                        description="Still accepted while senders change.")
    send_secret: str = Field("", repr=False, description="whsec_... that signs outbound messages; "
                             "empty: unsigned.")

    send_authorization: str = Field("", repr=False, description="Value of the Authorization header "
                                    "of outbound messages, such as Bearer or Basic and what "
                                    "follows; empty: none.")

    def secrets(self) -> list[str]:
        """Secrets a signature may be made with, the current one first."""
        return [secret for secret in (self.secret, *self.previous_secrets) if secret]

    def tokens(self) -> list[str]:
        return [token for token in (self.token, self.previous_token) if token]
