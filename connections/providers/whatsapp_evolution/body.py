"""Finds what a WhatsApp message says: takes off the wrappers and names the kind of its body."""

from dataclasses import dataclass, field
from typing import Any

from connections.providers.whatsapp_evolution.scalars import as_dict, as_text

MAX_LAYERS = 8
# Keys of a message object that stand beside the body and are never the body.
BESIDE = frozenset({"messageContextInfo", "senderKeyDistributionMessage",
                    "fastRatchetKeySenderKeyDistributionMessage", "base64", "mediaUrl",
                    "speechToText", "contextInfo"})
# Bodies that hold another message without being a wrapper around it.
NO_WRAPPERS = frozenset({"commentMessage"})


@dataclass(slots=True)
class Files:
    """Where the bytes of a message's file stand, outside the body.

    inline_path: dotted path of base64 text in the payload. url: plain, in the server's storage.
    """

    inline_path: str | None = None
    url: str | None = None
    transcript: str = ""

    def look_into(self, layer: dict[str, Any], path: str) -> None:
        """Take what `layer` offers and is not known yet."""
        if self.inline_path is None and isinstance(layer.get("base64"), str) and layer["base64"]:
            self.inline_path = f"{path}.base64"
        self.url = self.url or as_text(layer.get("mediaUrl")) or None
        self.transcript = self.transcript or as_text(layer.get("speechToText"))


@dataclass(slots=True)
class Body:
    """An unwrapped body. type: the native key ("imageMessage"), "" when there is none.

    node: its value as received. wrappers: native keys taken off, outermost first.
    meta: the innermost messageContextInfo.
    """

    type: str = ""
    node: Any = None
    wrappers: list[str] = field(default_factory=list)
    files: Files = field(default_factory=Files)
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        return as_dict(self.node)

    @property
    def is_view_once(self) -> bool:
        return (any(name.startswith("viewOnce") for name in self.wrappers)
                or self.fields.get("viewOnce") is True)


def open_body(message: Any, *, path: str = "") -> Body:
    """The innermost body of a `message` object that stands at `path` in the payload."""
    body = Body()
    layer = as_dict(message)
    for _ in range(MAX_LAYERS):
        body.files.look_into(layer, path)
        body.meta = as_dict(layer.get("messageContextInfo")) or body.meta
        body.type = body_type(layer)
        body.node = layer.get(body.type)
        inner = body.fields.get("message")
        if not isinstance(inner, dict) or body.type in NO_WRAPPERS:
            break
        body.wrappers.append(body.type)
        path = f"{path}.{body.type}.message"
        layer = inner
    return body


def body_type(message: dict[str, Any]) -> str:
    """The first key that is a body and says something, else the first that is one."""
    names = [name for name in message if name not in BESIDE]
    return next((name for name in names if message[name] is not None),
                names[0] if names else "")
