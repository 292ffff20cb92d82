"""Admin pages of this app, found by Django's autodiscovery."""

from connections.admin.instances import InstanceAdmin
from connections.admin.keys import ApiKeyAdmin, PersonAdmin
from connections.admin.secrets import SecretAdmin

__all__ = ["ApiKeyAdmin", "InstanceAdmin", "PersonAdmin", "SecretAdmin"]
