"""Nobody on a list, whatever other lists say."""

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from actions.people import access_rules, contact_lists
from events.models import Event


class DenylistParams(Params):
    lists: list[str] = Field([], description="Names of contact lists; empty, when no handles are "
                             "given either: every block list of the instance and the global ones.")
    handles: list[str] = Field([], description="Patterns to deny: phones, JIDs, addresses; `*` "
                               "may end one.")


class DenylistOutput(Output):
    rule: str = Field("", description="The pattern that fitted, empty when none did.")


@action("guard.denylist", params=DenylistParams, output=DenylistOutput, effects="read")
def denylist(event: Event, params: DenylistParams, context: Context) -> Outcome:
    """Stop everybody on the list; allow lists are not asked."""
    found = {}
    if params.lists or not params.handles:
        found = contact_lists.rules_in_force(event.instance_id, purposes=("block",),
                                             lists=params.lists)
    rules = contact_lists.all_rules(found, params.handles)
    names = contact_lists.names_of(event)
    rule = access_rules.longest(rules.fitting(names), names)
    return stop(f"denied by rule {rule.pattern}", rule=rule.pattern) if rule else done(rule="")
