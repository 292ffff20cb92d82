"""The agent that answers without any key: a few fixed, true answers, the same every time."""

import re
import unicodedata

from actions.agents.builtin_texts import ECHO, LANGUAGES, LISTENING, SAYING, TELLING
from actions.agents.prompt import text_of
from actions.agents.question import Answer, Question
from events.models import Event

ECHO_LENGTH = 1_000
_WORD = re.compile(r"\w+")
_TELLING = {language: frozenset(words.split()) for language, words in TELLING.items()}


def answer(question: Question) -> Answer:
    return Answer(text=reply_to(question.plain, question.event))


def reply_to(text: str, event: Event) -> str:
    """What the built-in agent says to a text, in the language of the text."""
    echo = _echo_of(text)
    if echo:
        return echo
    words = _words(text)
    language = language_of(text)
    sayings = SAYING[language]
    if event.media_kind in sayings and not event.text and text == text_of(event):
        return sayings["media"].format(what=sayings[event.media_kind])
    intent = intent_of(text)
    if not intent:
        intent = "one" if len(words) < 2 else "other"
    name = f", {event.sender_name}" if event.sender_name else ""
    return sayings[intent].format(name=name, count=len(words), date=f"{event.received_at:%Y-%m-%d}",
                                  time=f"{event.received_at:%H:%M}")


def language_of(text: str) -> str:
    """en, pt or es, by the words only one of them would use."""
    words = _words(text)
    return max(LANGUAGES, key=lambda language: sum(word in _TELLING[language] for word in words))


def intent_of(text: str) -> str:
    """The first intent whose phrase stands in the text, "" when none does."""
    said = f" {' '.join(_words(text))} "
    return next((intent for intent, phrases in LISTENING.items()
                 if any(f" {phrase} " in said for phrase in phrases)), "")


def _echo_of(text: str) -> str:
    """What follows "echo", "say", "repita" and the like at the start of a text."""
    command, _, rest = text.strip().partition(" ")
    return rest.strip()[:ECHO_LENGTH] if _plain(command).rstrip(":,") in ECHO else ""


def _words(text: str) -> list[str]:
    return _WORD.findall(_plain(text).replace("'", "").replace("\u2019", ""))


def _plain(text: str) -> str:
    """Small letters without accents."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
