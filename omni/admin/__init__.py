"""What the admin pages of every app share; those of the ground itself are registered in `pages`.

Other apps take the base classes of `pages`, and the fields of `secrets` and `words`.
"""

from omni.admin import pages

__all__ = ["pages"]
