"""Step kinds, one module each; the engine runs the kinds found here and no others.

A module has `KIND` and `execute(step, execution) -> Outcome | Ended`. Steps inside a step are run
with `execution.run_steps`; what a step must remember over a crash goes into its outcome's output.
"""

from functools import cache
from types import ModuleType

from omni.discovery import import_below

GATES = frozenset({"claim"})  # gates the engine keeps


@cache
def modules() -> dict[str, ModuleType]:
    """Step kind -> its module."""
    import registry.steps as package

    return {module.KIND: module for module in import_below(package)}


def kinds() -> frozenset[str]:
    return frozenset(modules())
