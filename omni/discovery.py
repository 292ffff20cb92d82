"""Finds the parts of a library on disk, so that adding one touches no list."""

import importlib
import pkgutil
from types import ModuleType


def import_below(package: ModuleType) -> list[ModuleType]:
    """Import every module below `package`, in name order, and return them.

    An import error is not swallowed: a part that cannot load stops the start.
    """
    found = []
    for info in sorted(pkgutil.walk_packages(package.__path__, package.__name__ + "."),
                       key=lambda info: info.name):
        found.append(importlib.import_module(info.name))
    return found
