"""Only people on a list."""

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from actions.people import access_rules, contact_lists
from events.models import Event


class AllowlistParams(Params):
    lists: list[str] = Field([], description="Names of contact lists; empty, when no handles are "
                             "given either: every allow list of the instance and the global ones.")
    handles: list[str] = Field([], description="Patterns to allow: phones, JIDs, addresses; `*` "
                               "may end one.")


class AllowlistOutput(Output):
    rule: str = Field("", description="The pattern that fitted.")


@action("guard.allowlist", params=AllowlistParams, output=AllowlistOutput, effects="read")
def allowlist(event: Event, params: AllowlistParams, context: Context) -> Outcome:
    """Let only people on the allow list pass; an empty list lets nobody pass."""
    found = {}
    if params.lists or not params.handles:
        found = contact_lists.rules_in_force(event.instance_id, purposes=("allow",),
                                             lists=params.lists)
    rules = contact_lists.all_rules(found, params.handles)
    names = contact_lists.names_of(event)
    rule = access_rules.longest(rules.fitting(names), names)
    return done(rule=rule.pattern) if rule else stop("not on the allow list")
