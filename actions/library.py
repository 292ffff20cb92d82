"""The actions found on disk, by id."""

import difflib
from functools import cache

from actions import base
from omni.discovery import import_below
from omni.errors import UnknownAction

KINDS = ("guards", "transforms", "routes", "validators", "persist", "meta", "custom")


@cache
def actions() -> dict[str, base.Action]:
    """Every declared action, by id; found once per process."""
    import actions as package

    import_below(package)
    return dict(sorted(base.DECLARED.items()))


def get(id: str) -> base.Action:
    """The action of an id. Raises UnknownAction with the nearest id."""
    known = actions()
    if id in known:
        return known[id]
    near = nearest(id)
    raise UnknownAction(f"unknown action '{id}'" + (f"; did you mean '{near}'?" if near else ""))


def nearest(id: str) -> str | None:
    """The known id most like `id`, None when nothing is close."""
    known = list(actions())
    close = difflib.get_close_matches(id, known, n=1)
    return close[0] if close else next((name for name in known if name.startswith(id)), None)
