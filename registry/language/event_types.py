"""Names of event kinds with `*` and `**`, as triggers and waits write them."""

import re
from functools import lru_cache

from connections.envelope import KINDS, OPEN_FAMILIES, is_kind

_GLOB = re.compile(r"[a-z0-9_.*]+")
PATTERNS: tuple[str, ...] = (  # what a wrong name is compared with
    *KINDS, *dict.fromkeys(kind.split(".", 1)[0] + ".*" for kind in KINDS))


def is_known(glob: str) -> bool:
    """Whether a kind exists, or a glob fits one that does or may (custom.*, system.*)."""
    if "*" not in glob:
        return is_kind(glob)
    if _GLOB.fullmatch(glob) is None:
        return False
    return glob.startswith(OPEN_FAMILIES) or any(fits_type((glob,), kind) for kind in KINDS)


def fits_type(globs: tuple[str, ...], event_type: str) -> bool:
    """Whether an event type is one of these kinds or fits a glob.

    `*` stands for one part of the name (`message.*` is not `message.status.read`), `**` for any
    number of them; `*` alone fits everything.
    """
    return event_type in globs or _pattern(globs).fullmatch(event_type) is not None


@lru_cache(maxsize=4096)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(_as_regex(glob) for glob in globs) or r"(?!)")


def _as_regex(glob: str) -> str:
    if glob == "*":
        return ".*"
    return ".*".join("[^.]*".join(re.escape(part) for part in piece.split("*"))
                     for piece in glob.split("**"))
