"""Admin pages of this app, found by Django's autodiscovery."""

from events.admin_events import EventAdmin
from events.admin_outbox import OutboxAdmin
from events.admin_people import ContactAdmin, ConversationAdmin, KnockAdmin
from events.admin_raw import RawPayloadAdmin

__all__ = ["ContactAdmin", "ConversationAdmin", "EventAdmin", "KnockAdmin", "OutboxAdmin",
           "RawPayloadAdmin"]
