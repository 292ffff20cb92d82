"""Workflow documents as HTTP bodies: `text/yaml` in and out, beside JSON `{text}`."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.renderers import BaseRenderer, JSONRenderer

from connections.rest.views import BodyParser, StrictJSONParser


class YamlParser(BodyParser):
    """The body itself is the document."""

    media_type = "text/yaml"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            return {"text": self.read(stream).decode("utf-8-sig")}
        except UnicodeDecodeError as exc:
            raise ParseError(f"the document is not UTF-8: {exc.reason} at {exc.start}") from exc


class ApplicationYamlParser(YamlParser):
    media_type = "application/yaml"  # RFC 9512


class YamlRenderer(BaseRenderer):
    """`{text}` as the text; a problem stays JSON."""

    media_type = "text/yaml"
    format = "yaml"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None,
               renderer_context: Any = None) -> bytes:
        if isinstance(data, dict) and set(data) == {"text"}:
            return data["text"].encode()
        return json.dumps(data).encode()


class SchemaRenderer(JSONRenderer):
    media_type = "application/schema+json"
    format = "schema"


DOCUMENT_PARSERS = [StrictJSONParser, YamlParser, ApplicationYamlParser]
