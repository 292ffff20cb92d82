"""What actions ask: agents and contact lists."""

from actions.models.agent import Agent
from actions.models.contact_list import ContactList, ContactListEntry

__all__ = ["Agent", "ContactList", "ContactListEntry"]
