"""Calls to one Evolution API server, and what their answers mean.

Source: routers of Evolution API 2.3.6.
"""

from typing import Any
from urllib.parse import quote

from connections.adapter import Account
from connections.http.client import Client, Response
from connections.providers.whatsapp_evolution.outbound import Call
from connections.providers.whatsapp_evolution.scalars import as_dict, as_list, as_text
from connections.secrets import forms
from omni.errors import NotConfigured, RateLimited, Rejected, UnknownOutcome

MAX_MEDIA_BYTES = 128 * 1024 * 1024
MAX_ERROR_LENGTH = 300
# What is worth the volume: no presence, no history, no contact list.
SUBSCRIPTIONS = (
    "MESSAGES_UPSERT", "MESSAGES_EDITED", "MESSAGES_UPDATE", "MESSAGES_DELETE", "SEND_MESSAGE",
    "SEND_MESSAGE_UPDATE", "CONNECTION_UPDATE", "QRCODE_UPDATED", "CALL", "GROUPS_UPSERT",
    "GROUP_PARTICIPANTS_UPDATE", "LABELS_ASSOCIATION", "LABELS_EDIT", "STATUS_INSTANCE",
    "LOGOUT_INSTANCE", "REMOVE_INSTANCE")


class EvolutionClient:
    """The server of one account. Raises NotConfigured without an address or a key."""

    def __init__(self, account: Account) -> None:
        self.account = account
        settings, credentials = account.settings, account.credentials
        for name, value in (("base_url", settings.base_url), ("api_key", credentials.api_key)):
            if not value:
                raise NotConfigured(f"instance '{account.slug}' has no {name}", setting=name)
        self.instance = settings.evolution_instance or account.slug
        self._client = Client(settings.base_url, headers={"apikey": credentials.api_key},
                              timeout=settings.timeout_seconds, account=account.id)

    def send(self, call: Call, *, timeout: float | None = None) -> Response:
        """One send call; the caller judges the status.

        Raises NotSent, UnknownOutcome or InvalidInput (see connections.http.client).
        """
        return self._client.request(call.method, self._path(call.endpoint), json=call.body,
                                    timeout=timeout)

    def _path(self, endpoint: str) -> str:
        return f"/{endpoint}/{quote(self.instance, safe='')}"

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a successful answer; anything else is raised."""
        response = self._client.request(method, path, **options)
        if response.status in (200, 201):
            return response.json()
        message = f"Evolution answered {response.status}: {self.explain(response)}"
        if response.is_rate_limited:
            raise RateLimited(message, retry_after=response.retry_after)
        if response.status >= 500 or response.status == 408:
            raise UnknownOutcome(message)
        raise Rejected(message, status=response.status)

    def explain(self, response: Response) -> str:
        """The server's own words about a failure, without our secrets."""
        answer = as_dict(response.json())
        inner = as_dict(answer.get("response"))
        told = inner.get("message") or answer.get("message") or answer.get("error")
        text = "; ".join(_words(one) for one in as_list(told)) or as_text(told) or "no reason given"
        credentials = self.account.credentials
        secret = forms.pattern((
            credentials.api_key, credentials.webhook_secret, credentials.webhook_secret_previous,
            credentials.jwt_key, credentials.jwt_key_previous))
        return forms.without(text, secret)[:MAX_ERROR_LENGTH]

    def create_instance(self, *, webhook_url: str = "") -> dict[str, Any]:
        """A new instance at the server, with its webhook when an address is given."""
        body: dict[str, Any] = {
            "instanceName": self.instance, "integration": "WHATSAPP-BAILEYS", "qrcode": True,
            "groupsIgnore": self.account.settings.ignore_groups}
        if webhook_url:
            body["webhook"] = self.webhook(webhook_url)
        return as_dict(self._ask("POST", "/instance/create", json=body))

    def state(self) -> str:
        """open, close, connecting, or "" when the server does not say."""
        answer = as_dict(self._ask("GET", self._path("instance/connectionState")))
        return as_text(as_dict(answer.get("instance")).get("state")) or as_text(
            answer.get("state"))

    def connect(self) -> dict[str, Any]:
        """Starts pairing: {pairingCode, code, base64, count}, or the state when it is open."""
        return as_dict(self._ask("GET", self._path("instance/connect")))

    def logout(self) -> None:
        self._ask("DELETE", self._path("instance/logout"))

    def set_webhook(self, webhook_url: str) -> None:
        self._ask("POST", self._path("webhook/set"), json={"webhook": self.webhook(webhook_url)})

    def webhook(self, webhook_url: str) -> dict[str, Any]:
        """The webhook object of the 2.x API. The server turns jwt_key into a bearer token."""
        credentials = self.account.credentials
        headers = {}
        if credentials.webhook_secret:
            headers[self.account.settings.webhook_header] = credentials.webhook_secret
        if credentials.jwt_key:
            headers["jwt_key"] = credentials.jwt_key
        return {"enabled": True, "url": webhook_url, "headers": headers, "byEvents": False,
                "base64": False, "events": list(SUBSCRIPTIONS)}

    def media(self, message_id: str) -> dict[str, Any]:
        """A message's file: {base64, mimetype, fileName, mediaType, size}."""
        return as_dict(self._ask(
            "POST", self._path("chat/getBase64FromMediaMessage"), max_bytes=MAX_MEDIA_BYTES,
            json={"message": {"key": {"id": message_id}}, "convertToMp4": False}))


def _words(value: Any) -> str:
    """One entry of an error list: text, or {jid, exists: false, number}."""
    entry = as_dict(value)
    if entry.get("exists") is False:
        return f"{as_text(entry.get('number')) or as_text(entry.get('jid'))} is not on WhatsApp"
    return as_text(value)
