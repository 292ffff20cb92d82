"""Step kinds, one module each; the engine runs the kinds found here and no others. Pure.

A module has `KIND` and `execute(step, execution) -> Outcome | Ended | Suspended`. What a step must
remember over a crash goes into its outcome's output. `inside(step, execution, output)` runs the
steps within; `restore` makes a recorded output visible again.
"""

from functools import cache
from types import ModuleType

from omni.discovery import import_below
from registry.language.grammar import GATES

__all__ = ["GATES", "kinds", "modules"]


@cache
def modules() -> dict[str, ModuleType]:
    """Step kind -> its module."""
    import registry.engine.run.steps as package

    return {module.KIND: module for module in import_below(package)}


def kinds() -> frozenset[str]:
    return frozenset(modules())
