"""What a person decides about a send: what became of an unknown one, or that it goes out anew."""

from connections.envelope import OutboundMessage
from events.models import OutboxMessage
from events.outbox import deliver
from events.outbox.attempts import Delivered
from events.outbox.sent_events import EFFECT_KINDS, MESSAGE_KINDS
from omni import audit
from omni.errors import InvalidInput

AGAIN = "again"  # the resolution of a send that a person did once more
_RESOLUTIONS = {"person_sent": "succeeded", "person_not_sent": "not_sent"}


def resolve(row: OutboxMessage, resolution: str, *, actor: str) -> None:
    """A person says what became of an unknown send: person_sent or person_not_sent."""
    if resolution not in _RESOLUTIONS:
        raise InvalidInput(f"resolution must be one of {', '.join(_RESOLUTIONS)}")
    changed = OutboxMessage.objects.filter(pk=row.pk, state="unknown").update(
        state=_RESOLUTIONS[resolution], resolution=resolution)
    if not changed:
        raise InvalidInput("this send is not unknown any more", code="stale")
    audit.note(actor, "send.resolved", f"outbox:{row.pk}", resolution=resolution)


def send_again(row: OutboxMessage, *, actor: str) -> Delivered:
    """A person sends an unknown or failed message again, under a new effect key."""
    if row.state in ("sending", "succeeded"):
        raise InvalidInput(f"this send is {row.state}; nothing to send again", code="stale")
    if row.resolution == AGAIN:
        raise InvalidInput("this send was sent again already; look at what became of that one",
                           code="stale")
    if row.kind not in MESSAGE_KINDS and row.kind not in EFFECT_KINDS:
        raise InvalidInput(f"only messages can be sent again, not {row.kind}; rerun its run")
    if (row.request.get("media") or {}).get("base64"):
        raise InvalidInput("the file's bytes were not kept; send the message anew")
    base = row.effect_key.split(":again:")[0]
    number = OutboxMessage.objects.filter(effect_key__startswith=f"{base}:again:").count() + 1
    audit.note(actor, "send.repeated", f"outbox:{row.pk}", number=number)
    outcome = deliver.send(
        OutboundMessage(**{"to": row.recipient, **row.request, "kind": row.kind}),
        instance=row.instance, effect_key=f"{base}:again:{number}", caused_by=row.caused_by,
        run_id=row.run_id)
    OutboxMessage.objects.filter(pk=row.pk, resolution="").exclude(state="succeeded").update(
        resolution=AGAIN)
    return outcome
