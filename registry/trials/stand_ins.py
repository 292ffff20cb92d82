"""Secrets in trials: whoever does not see every instance tries texts with stand-ins for them.

A text of one's own can turn a secret until it shows in an address, or ask for it letter by letter;
a value that is not there cannot be shown.
"""

from pydantic import ValidationError

from connections.access import Principal
from connections.secrets.store import StandIns, Vault
from registry.language.definition import Step


def vault_for(who: Principal | None, instance_id: int | None) -> Vault:
    """The secrets a trial of this caller reads; None is the installation itself."""
    limited = who is not None and who.instance_ids is not None
    return StandIns(instance_id) if limited else Vault(instance_id)


def refused(step: Step, vault: Vault, error: ValidationError) -> bool:
    """Whether only stand-ins did not fit their parameters: the secrets themselves may."""
    if not isinstance(vault, StandIns):
        return False
    made_of_them = {placed.path[0] for placed in step.body.params.expressions
                    if placed.expression.reads_secrets}
    return all(item["loc"] and item["loc"][0] in made_of_them for item in error.errors(
        include_input=False, include_url=False, include_context=False))
