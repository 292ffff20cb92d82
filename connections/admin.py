"""Admin pages of this app, found by Django's autodiscovery."""

from connections.admin_instances import InstanceAdmin
from connections.admin_keys import ApiKeyAdmin, PersonAdmin

__all__ = ["ApiKeyAdmin", "InstanceAdmin", "PersonAdmin"]
