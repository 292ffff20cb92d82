"""The one door to models of language, vision and speech: any endpoint that speaks OpenAI's API.

OMNI_LLM_BASE_URL, OMNI_LLM_MODEL and OMNI_LLM_API_KEY say which; an agent may name its own. Speech
goes to OMNI_STT_BASE_URL with OMNI_STT_API_KEY, else to the language model's endpoint.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from actions.breaker import Client
from actions.refusals import json_of
from omni.errors import NotConfigured, OmniError, Rejected, Unavailable

_NO_SUCH_DOOR = (404, 405, 501)  # what an endpoint without speech answers
_LONGEST = 7 * 86_400.0  # seconds of sound that can be believed
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
    Raises NotConfigured naming the setting, and the errors of `refusals` and of
    `connections.http.client`.
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


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording. language: as the model names it, "" when it does not say.

    duration_s: seconds, None when not told.
    """

    text: str
    language: str = ""
    duration_s: float | None = None


def transcribe(data: bytes, *, filename: str, mime: str, timeout: float,
               language: str = "") -> Transcript:
    """The words of a recording. language: ISO 639-1, when it is known. timeout: seconds.

    Models that refuse the long form of the answer (400) are asked once more for the short one.

    Raises NotConfigured naming the setting, and the errors of `refusals` and of
    `connections.http.client`.
    """
    address = settings.OMNI_STT_BASE_URL or settings.OMNI_LLM_BASE_URL
    if not address:
        raise NotConfigured("no speech model is set up: fill in OMNI_STT_BASE_URL (its address, "
                            "like https://host/v1)", setting="OMNI_STT_BASE_URL")
    if not settings.OMNI_STT_MODEL:
        raise NotConfigured("no speech model is set up: fill in OMNI_STT_MODEL (its name)",
                            setting="OMNI_STT_MODEL")
    key = settings.OMNI_STT_API_KEY or (
        "" if settings.OMNI_STT_BASE_URL else settings.OMNI_LLM_API_KEY)
    client = Client(address, headers={"authorization": f"Bearer {key}"} if key else {})
    end = time.monotonic() + timeout
    fields = {"model": settings.OMNI_STT_MODEL, **({"language": language} if language else {})}
    name = f"the speech model {settings.OMNI_STT_MODEL}"
    for form in ("verbose_json", "json"):
        response = client.request(
            "POST", "audio/transcriptions", timeout=max(end - time.monotonic(), 0.1), files={
                **{field: (None, value) for field, value in fields.items()},
                "response_format": (None, form), "file": (filename, data, mime)})
        if response.status != 400:
            break
    try:
        return _transcript_of(json_of(response, peer=name), name)
    except Rejected as exc:
        raise _without_speech(exc) from exc


def _without_speech(error: Rejected) -> OmniError:
    """A language model's endpoint that has no speech is one that is not set up for it."""
    if settings.OMNI_STT_BASE_URL or error.status not in _NO_SUCH_DOOR:
        return error
    return NotConfigured(
        f"the language model's endpoint has no speech model {settings.OMNI_STT_MODEL} "
        f"({error.status}): fill in OMNI_STT_BASE_URL or OMNI_STT_MODEL",
        setting="OMNI_STT_BASE_URL")


def _transcript_of(data: dict[str, Any], name: str) -> Transcript:
    text, language, seconds = data.get("text"), data.get("language"), data.get("duration")
    if not isinstance(text, str):
        raise Unavailable(f"{name} answered without a text", code="bad_answer")
    try:
        duration = float(seconds) if isinstance(seconds, str | int | float) else math.nan
    except (ValueError, OverflowError):
        duration = math.nan
    return Transcript(text.strip(), language[:32] if isinstance(language, str) else "",
                      duration if 0 <= duration <= _LONGEST else None)


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
