"""A message to anybody, through any instance."""

from pydantic import ConfigDict, Field

from actions import sending
from actions.base import Context, Outcome, action, failed
from actions.contents import Message
from actions.people import recipients
from actions.silence import speakable
from connections.envelope import OutboundMessage
from events.models import Event


class SendParams(Message):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    to: int | str | recipients.Person = Field(
        description="Whom: a conversation (its number or the service's id), a handle (phone, mail, "
        "user id), or a person: {handle, contact_id}, one of them is enough.")
    instance: str = Field("", description="Slug of the instance to send from; empty: the one the "
                          "event came through.")
    mentions: list[str] = Field([], description="Handles to mention.")


@action("route.send", params=SendParams, output=sending.Sent, effects="send", timeout=60.0)
def send(event: Event, params: SendParams, context: Context) -> Outcome:
    """Send a text, file, place, contact card, poll or reaction to anybody, on any channel."""
    instance = recipients.instance_of(params.instance, default=context.instance,
                                      viewer=context.viewer)
    recipient = recipients.find(params.to, instance=instance, viewer=context.viewer)
    message = params.outbound(recipient.address)
    if message is None or (message.kind == "text" and not speakable(message.text)):
        return Outcome("skipped", {"parts": []}, "nothing to say", "empty_text")
    message.mentions = params.mentions
    if message.kind == "reaction":
        _aim(message, params, event)
        if not message.target_message_id:
            return failed("the event has no message to react to; name it in reaction.message_id",
                          code="invalid")
    return sending.outcome_of([context.deliver(
        message, context.effect(0), instance=instance, conversation=recipient.conversation)])


def _aim(message: OutboundMessage, params: SendParams, event: Event) -> None:
    """A reaction without a message is about the event's."""
    if not message.target_message_id:
        message.target_message_id = event.provider_message_id or event.target_message_id
    if params.reaction and params.reaction.from_me is None:
        message.target_from_me = event.from_me
