"""The answer back into the conversation the event came from."""

import time

from pydantic import ConfigDict, Field

from actions import presence, sending, splitting
from actions.base import Context, Outcome, Params, action, failed
from actions.silence import speakable
from connections.envelope import OutboundMessage
from events.models import Event
from events.outbox.attempts import Delivered

_HIDDEN = ("@lid", ".lid")  # WhatsApp's ids of people who keep their number to themselves


class ReplyParams(Params):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    text: str | None = Field(None, description="What to say; empty, or beginning with AUTOMAGIK:, "
                             "sends nothing.")
    split: bool = Field(True, description="Blank lines begin a new message.")
    pause_min: float = Field(0.3, ge=0, le=10, description="Least seconds between two messages.")
    pause_max: float = Field(1.0, ge=0, le=10, description="Most seconds between two messages.")
    quote: bool = Field(False, description="The first message quotes the one it answers.")
    mentions: list[str] = Field([], description="Handles to mention: in the messages that write "
                                "them as @5511999990000, else in the first.")
    parse_mentions: bool = Field(True, description="Numbers written as @5511999990000 are "
                                 "mentions too, in the message they stand in.")
    mention_everyone: bool = Field(False, description="The first message mentions everybody.")
    typing: bool = Field(True, description="Take back the typing mark afterwards.")


@action("route.reply", params=ReplyParams, output=sending.Sent, effects="send", timeout=90.0)
def reply(event: Event, params: ReplyParams, context: Context) -> Outcome:
    """Answer in the conversation, in several messages where the text has blank lines.

    Each message has an effect key of its own: a run that continues after a crash sends the rest.
    """
    text = speakable(params.text)
    if not text:
        return Outcome("skipped", {"parts": []}, "nothing to say", "empty_text")
    if not event.conversation_ref:
        return failed("the event has no conversation to answer in; use route.send", code="invalid")
    outcome = sending.outcome_of(_send(_messages(text, event, params), params, context))
    if params.typing:
        presence.take_back(event, context)
    return outcome


def _messages(text: str, event: Event, params: ReplyParams) -> list[OutboundMessage]:
    """One message per part; a quote belongs to the first, a mention to where it is written.

    The digits of a hidden id (`123@lid`) are no phone: who wrote the event and whom it mentions is
    known by the whole id.
    """
    parts = splitting.split(text, enabled=params.split)
    known = [event.provider_actor_ref, *(event.context or {}).get("mentions", [])]
    mentions = splitting.mentions_of(parts, params.mentions, written=params.parse_mentions,
                                     known=[one for one in known if str(one).endswith(_HIDDEN)])
    messages = [OutboundMessage(kind="text", to=event.conversation_ref, text=part,
                                thread_ref=event.thread_ref, mentions=whom)
                for part, whom in zip(parts, mentions, strict=True)]
    first = messages[0]
    first.mention_everyone = params.mention_everyone
    quoted = event.provider_message_id or event.target_message_id
    if params.quote and quoted:
        first.quote, first.target_message_id = True, quoted
        first.target_from_me = event.from_me
    return messages


def _send(messages: list[OutboundMessage], params: ReplyParams,
          context: Context) -> list[Delivered]:
    """Send in order until one does not go out. Nothing is waited for a part sent before."""
    results: list[Delivered] = []
    for number, message in enumerate(messages):
        key = context.effect(number)
        if results and not results[-1].duplicate and not context.dry_run:
            pause = splitting.pause_before(key, least=params.pause_min, most=params.pause_max)
            time.sleep(min(pause, context.remaining()))
        results.append(context.deliver(message, key))
        if results[-1].state != "succeeded":
            break
    return results
