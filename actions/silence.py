"""When an answer is no answer: empty, or begun with the word agents use to stay silent."""

SILENT = "AUTOMAGIK:"


def speakable(text: str | None) -> str:
    """The text to send, "" when nothing is to be sent."""
    said = (text or "").strip()
    return "" if said.startswith(SILENT) else said
