"""The account's own messages, and its chat with itself."""

from typing import Literal

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from events.models import Event


class SelfRouteParams(Params):
    when: Literal["own", "self_chat"] = Field(
        "own", description="own: messages the account wrote to others; self_chat: its chat with "
        "itself.")
    mode: Literal["stop", "pass"] = Field(
        "stop", description="stop: those end here; pass: only those go on, except what Omni "
        "itself sent.")


class SelfRouteOutput(Output):
    own: bool = Field(False, description="The account wrote it, to somebody else.")
    self_chat: bool = Field(False, description="It is in the account's chat with itself.")


@action("guard.self_route", params=SelfRouteParams, output=SelfRouteOutput)
def self_route(event: Event, params: SelfRouteParams, context: Context) -> Outcome:
    """Stop the account's own messages, or let only those pass."""
    self_chat = event.conversation is not None and event.conversation.kind == "self"
    facts = {"own": event.from_me and not self_chat, "self_chat": self_chat}
    name = "own message" if params.when == "own" else "chat with oneself"
    if params.mode == "stop":
        return stop(name, **facts) if facts[params.when] else done(**facts)
    if event.sent_by_omni:
        return stop("sent by Omni itself", **facts)
    return done(**facts) if facts[params.when] else stop(f"not: {name}", **facts)
