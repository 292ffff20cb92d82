"""An action of this folder, called outside of a run."""

from types import SimpleNamespace
from typing import Any

from actions import library
from actions.base import Context, Outcome


def call(id: str, event: Any = None, **params: Any) -> Outcome:
    """What it comes to, for somebody with a contact unless an event says otherwise."""
    action = library.get(id)
    event = event or SimpleNamespace(contact_id=7, instance_id=1, conversation_ref="c")
    context = Context(instance=None, effect_key="omni:1:steps[0]", deadline=0.0)
    return action.function(event, action.params.model_validate(params), context)
