"""The one door to language models: any endpoint that speaks OpenAI's chat completions.

OMNI_LLM_BASE_URL, OMNI_LLM_MODEL and OMNI_LLM_API_KEY say which; an agent may name its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from actions.refusals import json_of
from connections.http import Client
from omni.errors import NotConfigured, Unavailable

Message = dict[str, Any]  # {"role": system|user|assistant, "content": text or parts}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said. usage: {request_tokens, response_tokens}, empty when not told."""

    text: str
    model: str = ""
    usage: dict[str, int] = field(default_factory=dict)


def chat(messages: Sequence[Message], *, timeout: float, base_url: str = "", model: str = "",
         api_key: str = "", options: dict[str, Any] | None = None) -> Reply:
    """One completion. timeout: seconds. options: more fields of the request (temperature, ...).

    base_url: up to and including /v1; with another endpoint than ours our key is not sent.
    Raises NotConfigured naming the setting, and the errors of `refusals` and `connections.http`.
    """
    key = api_key or ("" if base_url else settings.OMNI_LLM_API_KEY)
    address = base_url or settings.OMNI_LLM_BASE_URL
    name = model or settings.OMNI_LLM_MODEL
    if not address:
        raise _missing("OMNI_LLM_BASE_URL", "the address of a model, like https://host/v1")
    if not name:
        raise _missing("OMNI_LLM_MODEL", "the name of a model")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    response = Client(address, headers=headers).request(
        "POST", "chat/completions", timeout=timeout,
        json={**(options or {}), "model": name, "messages": list(messages), "stream": False})
    data = json_of(response, peer=f"the model {name}")
    return Reply(_text_of(data, name), str(data.get("model") or name), _usage_of(data))


def _text_of(data: dict[str, Any], name: str) -> str:
    try:
        content = data["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = None
    if not isinstance(content, str):
        raise Unavailable(f"the model {name} answered without a text", code="bad_answer")
    return content


def _usage_of(data: dict[str, Any]) -> dict[str, int]:
    usage = data.get("usage")
    if not isinstance(usage, dict):
        return {}
    names = {"request_tokens": "prompt_tokens", "response_tokens": "completion_tokens"}
    return {ours: usage[theirs] for ours, theirs in names.items()
            if isinstance(usage.get(theirs), int)}


def _missing(setting: str, what: str) -> NotConfigured:
    return NotConfigured(f"no language model is set up: fill in {setting} ({what})",
                         setting=setting)
