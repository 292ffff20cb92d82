"""The form side of columns that hold a list of words (labels, tags): typed with commas between."""

import csv
import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

WORD_MAX, WORDS_MAX = 63, 50  # characters of a word, words of a list; as the API takes them
HELP = "Words with commas between them: vip, partner."
_QUOTED = (",", '"', "\n")


def chips(words: Any) -> SafeString | str:
    """The words for people, one box each; "-" for none."""
    return format_html_join(" ", '<span class="omni-tag">{}</span>',
                            ((word,) for word in words)) or "-"


class WordsInput(UnfoldAdminTextInputWidget):
    """One line to type in, and what it holds as chips below."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        line = super().render(name, value, attrs, renderer)
        try:
            words = split(value or "")
        except ValidationError:
            words = []
        return format_html('{}<div class="omni-chips">{}</div>', line, chips(words)) \
            if words else line


class WordsField(forms.Field):
    """`vip, partner` <-> ["vip", "partner"]. Each word counts once; a JSON list is taken too."""

    widget = WordsInput

    def prepare_value(self, value: Any) -> str:
        return value if isinstance(value, str) else ", ".join(map(_written, value or []))

    def to_python(self, value: Any) -> list[str]:
        words = split(value or "")
        if len(words) > WORDS_MAX:
            raise ValidationError(f"These are {len(words)} words; at most {WORDS_MAX} fit.")
        long = next((word for word in words if len(word) > WORD_MAX), None)
        if long:
            raise ValidationError(f"“{long[:20]}…” is longer than {WORD_MAX} characters; put "
                                  "commas between words.")
        return words

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return list(initial or []) != self.to_python(data)
        except ValidationError:
            return True


def split(text: str) -> list[str]:
    """The words of `text`, each once, in order. A word with a comma stands in double quotes.

    Raises ValidationError for JSON that is no list of words.
    """
    text = text.strip()
    if text.startswith(("[", "{")):
        return list(dict.fromkeys(_of_json(text)))
    line = " ".join(text.replace("\r", "\n").replace("\n", ",").split())
    found = next(csv.reader([line], skipinitialspace=True), [])
    return list(dict.fromkeys(word.strip() for word in found if word.strip()))


def _of_json(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValidationError(f"This is a list of words. {HELP}")
    return [word.strip() for word in words if word.strip()]


def _written(word: str) -> str:
    if any(sign in word for sign in _QUOTED) or word.startswith(("[", "{")):
        return '"' + word.replace('"', '""') + '"'
    return word


class WordsForm(forms.ModelForm):
    """A form whose columns named in `words` are lists of words."""

    words: tuple[str, ...] = ("labels", "tags")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.words:
            if name in self.fields:
                told = self.fields[name]
                self.fields[name] = WordsField(required=False, label=told.label,
                                               help_text=told.help_text or HELP)
