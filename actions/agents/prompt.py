"""An event in words, as agents have always been given it."""

from actions.people import phones
from connections.models import Instance
from events.models import Event

QUOTE_LENGTH = 200
_PLACEHOLDERS = {
    "audio": "[Audio message: the agent will transcribe it]",
    "image": "[Image]", "video": "[Video]", "document": "[Document]", "sticker": "[Sticker]",
}


def text_of(event: Event) -> str:
    """What was said; a placeholder for files without words, "" when there is nothing to say."""
    said = (event.text or "").strip()
    return said or _PLACEHOLDERS.get(event.media_kind or "", "")


def dress(text: str, event: Event, *, name_prefix: bool, quoted_header: bool) -> str:
    """`text` with "[name]: " before it and, for a reply, what it replies to."""
    if quoted_header and (quoted := _quoted(event)):
        text = f"[Replying to: \"{quoted}\"]\n{text}"
    if name_prefix and event.sender_name:
        text = f"[{event.sender_name}]: {text}"
    return text


def session_of(event: Event, instance: Instance) -> str:
    """`{instance}_{digits}`: one session per chat, so a group shares one.

    What happened nowhere and by nobody has a session of its own.
    """
    ref = event.conversation_ref or event.provider_actor_ref
    if not ref:
        return f"{instance.slug}_event_{event.dedup_key}"
    return f"{instance.slug}_{phones.legacy_digits(ref) or ref}"


def _quoted(event: Event) -> str:
    """At most 200 characters of the message this one replies to."""
    if event.relation != "replies_to":
        return ""
    preview = event.context.get("quoted")
    text = preview.get("text") if isinstance(preview, dict) else None
    if not text and event.target_event is not None:
        text = event.target_event.text
    return (text or "").strip()[:QUOTE_LENGTH]
