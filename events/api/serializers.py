"""The event store as the REST API shows it: columns by their names, instances by their slugs."""

import base64
from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from events.models import (
    Attachment,
    Contact,
    Conversation,
    Event,
    EventAction,
    Handle,
    OutboxMessage,
    RawPayload,
)
from omni.api import StrictFieldsMixin


class InstanceSlugField(serializers.CharField):
    """The slug of the row's instance."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(source="instance.slug", read_only=True, **kwargs)


class AttachmentSerializer(serializers.ModelSerializer):
    """One file of a message. What opens an encrypted file is not shown."""

    class Meta:
        model = Attachment
        fields = ["id", "position", "kind", "mime", "filename", "size_bytes", "width", "height",
                  "duration_ms", "sha256", "provider_media_id", "source_url", "url_expires_at",
                  "auth_required", "caption", "is_voice_note", "is_animated", "state", "error"]
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer):
    """One event: every column of `omni_events`, and its attachments."""

    instance = InstanceSlugField()
    attachments = AttachmentSerializer(many=True, read_only=True)

    class Meta:
        model = Event
        fields = ["id", "instance", "provider", "event_type", "provider_event_type", "direction",
                  "source", "from_me", "sender_is_bot", "auto_generated", "conversation",
                  "conversation_ref", "thread_ref", "actor", "provider_actor_ref", "sender_name",
                  "contact", "contact_handle", "provider_message_id", "relation",
                  "target_message_id", "target_event", "caused_by", "client_ref", "trace_id",
                  "text", "subject", "media_kind", "is_forwarded", "is_view_once",
                  "mentions_self", "delivery_status", "error_code", "occurred_at",
                  "occurred_at_source", "received_at", "created_at", "provider_sequence",
                  "content", "context", "provider_metadata", "schema_version", "normalizer",
                  "state", "hop", "routed_at", "raw_id", "raw_index", "dedup_key", "fingerprint",
                  "attachments"]
        read_only_fields = fields


class EventActionSerializer(serializers.ModelSerializer):
    """What one step and attempt of one run came to."""

    instance = InstanceSlugField()

    class Meta:
        model = EventAction
        fields = ["id", "instance", "event", "run_id", "workflow", "path", "iteration", "attempt",
                  "step_id", "step_kind", "action", "status", "code", "reason", "input", "output",
                  "final", "started_at", "ended_at", "duration_ms"]
        read_only_fields = fields


class OutcomesSerializer(serializers.Serializer):
    """Outcomes in the order they came about."""

    results = EventActionSerializer(many=True)


class OutboxSerializer(serializers.ModelSerializer):
    """One outward act and what came of it."""

    instance = InstanceSlugField()

    class Meta:
        model = OutboxMessage
        fields = ["id", "instance", "conversation", "effect_key", "kind", "recipient", "request",
                  "state", "resolution", "attempts", "run_id", "caused_by", "event",
                  "provider_message_id", "error", "error_code", "answer", "created_at",
                  "started_at", "ended_at"]
        read_only_fields = fields


class ConversationSerializer(serializers.ModelSerializer):
    """A chat, group, channel or ticket. aliases: other refs that lead here.

    merged_into: the conversation that stands for this one, when two turned out to be one place.
    """

    instance = InstanceSlugField()
    aliases = serializers.SlugRelatedField(slug_field="ref", many=True, read_only=True)

    class Meta:
        model = Conversation
        fields = ["id", "instance", "ref", "kind", "title", "tags", "contact", "parent",
                  "merged_into", "aliases", "created_at"]
        read_only_fields = fields


class SplitSerializer(StrictFieldsMixin, serializers.Serializer):
    """What is split off."""

    ref = serializers.CharField(max_length=1000, required=False, trim_whitespace=False,
                                help_text="An alias of the conversation; without it, the merged "
                                "conversation itself.")


class HandleSerializer(serializers.ModelSerializer):
    """One name of a person at a provider."""

    class Meta:
        model = Handle
        fields = ["id", "provider", "scope", "kind", "value", "confidence", "linked_by",
                  "verified"]
        read_only_fields = fields


class ContactSerializer(serializers.ModelSerializer):
    """A person, with what the instances the caller sees know of them."""

    handles = HandleSerializer(many=True, read_only=True)
    people_group = serializers.CharField(read_only=True, help_text="The group of accounts that "
                                         "share this person.")

    class Meta:
        model = Contact
        fields = ["id", "people_group", "name", "labels", "attributes", "merged_into", "handles",
                  "created_at"]
        read_only_fields = fields

    def to_representation(self, contact: Contact) -> dict[str, Any]:
        shown = contact.shown
        return {**super().to_representation(contact), **(asdict(shown) if shown else {})}


class RawSummarySerializer(serializers.ModelSerializer):
    """One delivery as it arrived, without its body."""

    instance = InstanceSlugField()

    class Meta:
        model = RawPayload
        fields = ["id", "instance", "provider", "received_at", "method", "path", "query",
                  "headers", "content_type", "size_bytes", "sha256", "redacted", "flags",
                  "transport", "verified_by", "deliveries", "last_seen_at", "event_count",
                  "quarantine_reason", "quarantine_detail"]
        read_only_fields = fields


class RawSerializer(RawSummarySerializer):
    """One delivery with its exact bytes; `redacted` says whether credentials were blanked."""

    body_base64 = serializers.SerializerMethodField()

    class Meta(RawSummarySerializer.Meta):
        fields = [*RawSummarySerializer.Meta.fields, "body_base64"]
        read_only_fields = fields

    def get_body_base64(self, raw: RawPayload) -> str:
        return base64.b64encode(bytes(raw.body)).decode()
