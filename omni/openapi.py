"""The OpenAPI document: what every operation has in common is declared once."""

from typing import Any

PROBLEM_SCHEMA = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "For people."},
        "code": {"type": "string", "description": "For programs; stable."},
        "instance": {"type": "string", "description": "The address that was asked."},
        "errors": {"type": "array", "items": {
            "type": "object",
            "required": ["detail"],
            "properties": {
                "pointer": {"type": "string", "description": "JSON pointer to the field."},
                "detail": {"type": "string"},
                "code": {"type": "string"},
                "line": {"type": "integer", "description": "In a workflow document."},
                "column": {"type": "integer"},
                "suggestion": {"type": "string"},
            }}},
    },
}
PROBLEM_RESPONSE = {
    "description": "A problem; `code` and `errors` say which.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
PROBLEM_STATUSES = ("4XX", "5XX")


def add_problems(result: dict[str, Any], generator: Any, request: Any,
                 public: bool) -> dict[str, Any]:
    """Give every operation the problem answers (a postprocessing hook of drf-spectacular)."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components.setdefault("responses", {})["Problem"] = PROBLEM_RESPONSE
    for operations in result["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status in PROBLEM_STATUSES:
                    operation["responses"].setdefault(
                        status, {"$ref": "#/components/responses/Problem"})
    return result
