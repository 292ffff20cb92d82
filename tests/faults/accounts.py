"""Accounts beside the one of the system, each with an agent of its own."""

from tests.factories import SECRET
from tests.faults.system import System
from tests.faults.traffic import ENDED


def make_account(system: System, slug: str, *, agent_url: str) -> None:
    """A WhatsApp account at the peer, whose agent answers at `agent_url`."""
    system.api("POST", "agents/", {
        "slug": slug, "name": slug, "kind": "http", "base_url": agent_url})
    system.api("POST", "instances/", {
        "slug": slug, "name": slug, "provider": "whatsapp_evolution", "agent": slug,
        "settings": {"base_url": system.peer.url}, "labels": [],
        "credentials": {"api_key": "peer", "webhook_secret": SECRET}})


def ended(system: System, prefix: str) -> int:
    """How many runs of messages with this prefix have ended."""
    return system.rows("SELECT count(*) FROM omni_runs r JOIN omni_events e ON e.id = r.event_id "
                       "WHERE starts_with(e.provider_message_id, %s) AND r.state = ANY(%s)",
                       prefix, list(ENDED))[0][0]
