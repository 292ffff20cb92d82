"""In groups, answer only when spoken to."""

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from events.models import Event


class MentionGateParams(Params):
    names: list[str] = Field([], description="Words in the text that count as a mention, like "
                             "the bot's name.")
    replies: bool = Field(True, description="A reply to one of our messages counts as a mention.")
    direct: bool = Field(True, description="Outside groups and channels everything passes.")


class MentionGateOutput(Output):
    mention: str = Field("", description="direct, mention, name or reply: why it passed.")


@action("guard.mention_gate", params=MentionGateParams, output=MentionGateOutput, effects="read")
def mention_gate(event: Event, params: MentionGateParams, context: Context) -> Outcome:
    """In groups, let only messages pass that mention the account or answer it."""
    mention = _mention(event, params)
    return done(mention=mention) if mention else stop("the account is not mentioned", mention="")


def _mention(event: Event, params: MentionGateParams) -> str:
    place = event.conversation.kind if event.conversation else ""
    if params.direct and place not in ("group", "channel", "thread", "list"):
        return "direct"
    if event.mentions_self:
        return "mention"
    said = (event.text or "").casefold()
    if any(name.casefold() in said for name in params.names if name.strip()):
        return "name"
    if params.replies and event.relation == "replies_to" and _answers_us(event):
        return "reply"
    return ""


def _answers_us(event: Event) -> bool:
    return Event.objects.filter(
        instance_id=event.instance_id, provider_message_id=event.target_message_id,
        from_me=True).exists()
