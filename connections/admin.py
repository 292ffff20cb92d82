"""Admin pages of this app, found by Django's autodiscovery."""

from connections.admin_instances import InstanceAdmin
from connections.admin_keys import ApiKeyAdmin, PersonAdmin
from connections.admin_secret_store import SecretAdmin

__all__ = ["ApiKeyAdmin", "InstanceAdmin", "PersonAdmin", "SecretAdmin"]
