"""Admin pages of this app, found by Django's autodiscovery."""

from events.admin.events import EventAdmin
from events.admin.outbox import OutboxAdmin
from events.admin.people import ContactAdmin, ConversationAdmin, KnockAdmin
from events.admin.raw import RawPayloadAdmin

__all__ = ["ContactAdmin", "ConversationAdmin", "EventAdmin", "KnockAdmin", "OutboxAdmin",
           "RawPayloadAdmin"]
