"""The access rules: allow and block lists weighed against each other."""

from pydantic import Field

from actions.base import Context, Outcome, Output, Params, action, done, stop
from actions.people import access_rules, contact_lists
from events.models import Event


class BlocklistParams(Params):
    lists: list[str] = Field([], description="Names of contact lists; empty: every allow and "
                             "block list of the instance and the global ones.")
    handles: list[str] = Field([], description="More patterns to block: phones, JIDs, addresses; "
                               "`*` may end one.")


class BlocklistOutput(Output):
    rule: str = Field("", description="The pattern that decided, empty when none fitted.")


@action("guard.blocklist", params=BlocklistParams, output=BlocklistOutput, effects="read")
def blocklist(event: Event, params: BlocklistParams, context: Context) -> Outcome:
    """Stop people the access rules block.

    The most exact rule wins and a tie allows; who is on no list passes. An allow list that keeps
    others out is a block rule `*` beside allow rules, or `guard.allowlist`.
    """
    found = contact_lists.rules_in_force(event.instance_id, purposes=("allow", "block"),
                                         lists=params.lists)
    allow = found.pop("allow", contact_lists.Rules())
    block = contact_lists.all_rules(found, params.handles)
    if not block:
        return done(rule="")  # nobody can be stopped: spare the look-up of names
    names = contact_lists.names_of(event)
    decision = access_rules.decide(names, allow=allow.fitting(names), block=block.fitting(names))
    if decision.allowed:
        return done(rule=decision.pattern)
    return stop(f"blocked by rule {decision.pattern}", rule=decision.pattern)
