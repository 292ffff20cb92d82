"""What actions ask and keep: agents, contact lists, memories and tasks."""

from actions.models.agent import Agent
from actions.models.contact_list import ContactList, ContactListEntry
from actions.models.memory import Memory
from actions.models.task import Task

__all__ = ["Agent", "ContactList", "ContactListEntry", "Memory", "Task"]
