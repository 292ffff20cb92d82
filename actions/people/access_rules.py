"""Who is let in: patterns, and which of two that fit wins. Pure.

A pattern is a whole handle, or its beginning with `*` behind. A phone is the same with and without
its plus, its punctuation and its WhatsApp host; a LID or group id is also compared as a number.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from actions.people import phones


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern ready to compare. length: how exact it is; `*` alone has 0."""

    pattern: str
    start: str
    is_prefix: bool
    length: int

    def fits(self, names: frozenset[str]) -> bool:
        if self.is_prefix:
            return any(name.startswith(self.start) for name in names)
        return self.start in names


@dataclass(frozen=True, slots=True)
class Decision:
    """pattern: the rule that decided, "" when none fitted."""

    allowed: bool
    pattern: str = ""


def names_of(handles: Iterable[str]) -> frozenset[str]:
    """Every spelling the handles are compared by."""
    found: set[str] = set()
    for handle in handles:
        text = _plain(handle)
        jid = phones.split_jid(text)
        if jid is None:
            found.add(_written(text))
        else:
            found.add(jid[0])
            if jid[1] not in phones.PHONE_HOSTS:
                found.add("@".join(jid))
    return frozenset(found - {""})


def parse(pattern: str) -> Rule:
    text = _plain(pattern)
    is_prefix = text.endswith("*")
    text = text.rstrip("*")
    jid = phones.split_jid(text)
    if jid is None:
        start = _written(text)
        return Rule(pattern, start, is_prefix, len(start))
    start = jid[0] if jid[1] in phones.PHONE_HOSTS else "@".join(jid)
    return Rule(pattern, start, is_prefix, len(jid[0]))


def longest(rules: Iterable[Rule], names: frozenset[str]) -> Rule | None:
    """The most exact rule that fits, None when none does."""
    return max((rule for rule in rules if rule.fits(names)), key=lambda rule: rule.length,
               default=None)


def decide(names: frozenset[str], *, allow: Iterable[Rule], block: Iterable[Rule]) -> Decision:
    """Block wins only when strictly more exact than allow; no rule at all allows.

    So an allow rule alone keeps nobody out: an allow list is a block rule `*` and allow rules.
    """
    best_allow, best_block = longest(allow, names), longest(block, names)
    if best_block and (best_allow is None or best_block.length > best_allow.length):
        return Decision(False, best_block.pattern)
    return Decision(True, best_allow.pattern if best_allow else "")


def _plain(text: str) -> str:
    return phones.without_scheme(text.strip().lower())


def _written(text: str) -> str:
    """One spelling for a handle that is no WhatsApp id."""
    if phones.is_phone(text):
        return phones.digits(text)
    return text.lstrip("@+") if text.startswith(("@", "+")) else text
