"""Admin pages of this app, found by Django's autodiscovery."""

from actions.admin.agents import AgentAdmin, ContactListAdmin
from actions.admin.tasks import MemoryAdmin, TaskAdmin

__all__ = ["AgentAdmin", "ContactListAdmin", "MemoryAdmin", "TaskAdmin"]
