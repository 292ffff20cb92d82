"""What a message can hold besides words, as parameters of a step."""

from typing import Any, Literal

from pydantic import Field, model_validator

from actions.base import Params
from connections.envelope import OutboundMessage

MEDIA_KINDS = Literal["image", "audio", "video", "document", "sticker"]


class Media(Params):
    """A file, by address or as base64."""

    kind: MEDIA_KINDS = Field(description="image, audio, video, document or sticker.")
    url: str = Field("", description="Where the provider fetches the file.")
    base64: str = Field("", description="The bytes, instead of an address.")
    mime: str = Field("", description="Media type, like image/png.")
    filename: str = Field("", description="Name shown to people.")
    voice: bool = Field(False, description="Send audio as a voice note.")

    @model_validator(mode="after")
    def _one_source(self) -> "Media":
        if bool(self.url) == bool(self.base64):
            raise ValueError("give either url or base64")
        return self


class Location(Params):
    """A place on the map."""

    latitude: float = Field(ge=-90, le=90, description="Degrees north.")
    longitude: float = Field(ge=-180, le=180, description="Degrees east.")
    name: str = Field("", description="Name of the place.")
    address: str = Field("", description="Its address.")


class Card(Params):
    """A contact card."""

    full_name: str = Field(min_length=1, description="Name on the card.")
    phone: str = Field("", description="Phone with + and country.")
    organization: str = Field("", description="Company.")
    email: str = Field("", description="Mail address.")
    url: str = Field("", description="Web address.")


class Poll(Params):
    """A question with options."""

    name: str = Field(min_length=1, description="The question.")
    options: list[str] = Field(min_length=2, max_length=12, description="The answers.")
    selectable: int = Field(1, ge=0, le=12, description="How many may be chosen; 0: any number.")


class Reaction(Params):
    """An emoji on a message."""

    emoji: str = Field("", description="The emoji; empty takes the reaction back.")
    message_id: str = Field("", description="The provider's id of the message; empty: the "
                            "event's.")
    from_me: bool | None = Field(None, description="Whether that message was ours; empty: as the "
                                 "event's.")


class Message(Params):
    """One message: one of media, location, contacts, poll and reaction, or words alone."""

    text: str | None = Field(None, description="What to say; beside media, its caption.")
    media: Media | None = Field(None, description="A file to send.")
    location: Location | None = Field(None, description="A place to send.")
    contacts: list[Card] = Field([], description="Contact cards to send.")
    poll: Poll | None = Field(None, description="A poll to start.")
    reaction: Reaction | None = Field(None, description="A reaction to a message.")

    @model_validator(mode="after")
    def _one_content(self) -> "Message":
        given = [name for name in ("media", "location", "contacts", "poll", "reaction")
                 if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"one message holds one of {', '.join(given)}")
        if self.text and given and given != ["media"]:
            raise ValueError(f"text does not go with {given[0]}; send it in a step of its own")
        return self

    def outbound(self, to: str) -> OutboundMessage | None:
        """The message in neutral words, without its surroundings; None when it is empty."""
        if self.media:
            return OutboundMessage(
                kind=self.media.kind, to=to, text=self.text or None,
                media=_filled(self.media.model_dump(exclude={"kind"})))
        for kind in ("location", "poll"):
            if content := getattr(self, kind):
                return OutboundMessage(kind=kind, to=to, content=_filled(content.model_dump()))
        if self.contacts:
            return OutboundMessage(kind="contact", to=to, content={
                "contacts": [_filled(card.model_dump()) for card in self.contacts]})
        if self.reaction:
            return OutboundMessage(
                kind="reaction", to=to, content={"emoji": self.reaction.emoji},
                target_message_id=self.reaction.message_id or None,
                target_from_me=bool(self.reaction.from_me))
        return OutboundMessage(kind="text", to=to, text=self.text) if self.text else None


def _filled(content: dict[str, Any]) -> dict[str, Any]:
    """Without what was not given. Zero is given: a latitude, or any number of options."""
    return {name: value for name, value in content.items()
            if value is not None and value is not False and value != ""}
