"""One module per table group."""

from events.models.action import EventAction
from events.models.attachment import Attachment
from events.models.contact import Contact, Handle, Sighting
from events.models.conversation import Conversation, ConversationAlias
from events.models.event import Event
from events.models.inbox import InboxEntry
from events.models.message_state import MessageState
from events.models.outbox import OutboxMessage
from events.models.put_aside import PutAside
from events.models.raw import Knock, RawPayload
from events.models.send_turn import SendTurn
from events.models.underived import Underived

__all__ = ["Attachment", "Contact", "Conversation", "ConversationAlias", "Event", "EventAction",
           "Handle", "InboxEntry", "Knock", "MessageState", "OutboxMessage", "PutAside",
           "RawPayload", "SendTurn", "Sighting", "Underived"]
