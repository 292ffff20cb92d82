"""The JSON Schema (2020-12) of the language, made of the grammar's tables and the action library.

For editors and the API; people get the messages of `document.problems`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any

from actions import library
from actions.base import Action
from connections.envelope import KINDS
from connections.library import adapters
from registry.expressions import names
from registry.expressions.expression import MAX_LENGTH
from registry.expressions.functions import FUNCTIONS
from registry.language import definition, fixtures, grammar
from registry.language.durations import PATTERN as DURATION
from registry.language.event_types import PATTERNS
from registry.language.grammar import Key, Shape

PATH = "/api/v1/workflows/schema/"  # where editors fetch it; with the host also its `$id`
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE = {"$ref": "#/$defs/templated"}
_FORMS: Mapping[str, Callable[..., Any]] = {  # where a key's default is written
    "retry": definition.Retry, "debounce": definition.Debounce, "throttle": definition.Throttle,
    "concurrency": definition.Concurrency, "schedule": definition.Schedule,
    "input": definition.Input, "for_each": definition.ForEachBody, "wait": definition.WaitBody,
    "approval": definition.ApprovalBody, "call": definition.CallBody, "step": definition.Step,
    "workflow": definition.Definition}
_ABOUT: Mapping[str, str] = {
    "slug": "A name: small letters, digits, - and _, beginning with a letter.",
    "duration": "A number and ms, s, m, h or d.",
    "texts": "One text or a list of texts.",
    "kind": "A kind of event; * is one part of a name, ** any number.",
    "kinds": "A kind of event, or a list of them.",
    "match": "Events to look for.",
    "trigger": "One way to wake the workflow: by event, by schedule or by hand.",
    "steps": "Steps, done in order.",
    "step": "One step; it has exactly one of " + ", ".join(grammar.STEP_KINDS) + ".",
    "options": "Names, each with its steps.",
    "on_error": "What follows when the step failed for good.",
    "retry": "When and how a failed step is tried again.",
    "once": "At most one run per key.",
    "debounce": "Wait until a burst of events has ended.",
    "throttle": "At most so many runs in a time.",
    "concurrency": "At most so many runs at a time.",
    "cancel_on": "Events that end a run.",
    "schedule": "Due by the clock, once for each instance it is switched on for.",
    "input": "A value the binding gives, or who starts the workflow by hand.",
    "fixture": "An event that comes with Omni, by its name.",
    "test": "An event, and what must come of it.",
    "expect": "What must come of a test.",
    "gates": "Keys of gates, as a test expects them.",
    "example": "The event of a test: fields over a fixture.",
    "media": "The first attachment of an example.",
    "conversation": "Where an example happened.",
    "contact": "The person of an example.",
    "instance": "The account of an example.",
    "branch": "One arm: if and do, or else.",
    "for_each": "Steps for each item of a list.",
    "wait": "Waits for a time, until a moment, or for an event.",
    "wait_value": "A duration, or what is waited for.",
    "approval": "A person's yes or no.",
    "decide": "A choice between listed options.",
    "call": "Runs another workflow.",
    "stop": "Ends the run.",
    "stop_value": "How the run ends, in one word or with its reason.",
}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def build(actions: Mapping[str, Action] | None = None, *, host: str = "") -> dict[str, Any]:
    """The schema of a whole workflow; `actions` by id, by default every one found on disk.

    host: of this installation, as `https://omni.example`.
    """
    known = library.actions() if actions is None else actions
    definitions = {
        **_SCALARS, **{name: _mapping(shape, name) for name, shape in grammar.SHAPES.items()
                       if name not in ("workflow", "step")},
        "match": _mapping(grammar.MATCH), "trigger": _trigger(), "steps": _list("step",
                                                                  most=grammar.MAX_STEPS),
        "step": _step(known)}
    for name, about in _ABOUT.items():
        definitions[name] = {"description": about, **definitions[name]}
    for action in known.values():
        definitions.update(_params(action))
    return {"$schema": DIALECT, "$id": host + PATH, "title": "Omni workflow",
            "description": "What wakes a workflow, and what it does.",
            **_mapping(grammar.WORKFLOW, "workflow"), "$defs": definitions}


def tag(host: str) -> str:
    """An ETag that changes when the schema of this installation does."""
    return _tag(host, tuple((action.id, action.version, action.params)
                                 for action in library.actions().values()))


@lru_cache(maxsize=4)
def _tag(host: str, actions: tuple) -> str:
    """Of the schema as it is now; the arguments are what it is made of."""
    text = json.dumps(build(host=host), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


_SCALARS: dict[str, Any] = {
    "slug": {"type": "string", "pattern": grammar.SLUG},
    "duration": {"type": "string", "pattern": DURATION, "examples": ["500ms", "6s", "24h", "7d"]},
    "expression": {"type": ["string", "boolean"], "maxLength": MAX_LENGTH, "description":
                   "A bare expression. Names: " + ", ".join(sorted(names.ALL_ROOTS))
                   + ". Functions: " + ", ".join(sorted(FUNCTIONS)) + "."},
    "templated": {"type": "string", "pattern": r"\$\{\{", "description": "Text with ${{ … }}."},
    "texts": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "fixture": {"enum": list(fixtures.NAMES)},
    "kind": {"anyOf": [{"enum": list(PATTERNS)},
                       {"type": "string", "pattern": r"\*|^(custom|system)\."}]},
    "kinds": {"oneOf": [_ref("kind"), {"type": "array", "minItems": 1, "items": _ref("kind")}]},
    "wait_value": {"oneOf": [_ref("duration"), _ref("wait")]},
    "stop_value": {"oneOf": [{"enum": list(grammar.STOP_STATUSES)}, _ref("stop")]},
    "options": {"type": "object", "minProperties": 1, "additionalProperties": _ref("steps")},
    "on_error": {"oneOf": [{"enum": ["fail", "continue"]}, _ref("steps")]},
}


def _list(name: str, *, least: int = 0, most: float | None = None) -> dict[str, Any]:
    bounds: dict[str, Any] = {"minItems": least} if least else {}
    if most is not None:
        bounds["maxItems"] = int(most)
    return {"type": "array", "items": _ref(name), **bounds}


def _mapping(shape: Shape, form: str = "") -> dict[str, Any]:
    """form: the name of the table, where its keys have defaults."""
    known = _defaults(form)
    schema: dict[str, Any] = {
        "type": "object", "additionalProperties": False,
        "properties": {name: {**_described(key), **_default(key, known.get(key.into or name))}
                       for name, key in shape.items()}}
    required = [name for name, key in shape.items() if key.required]
    return {**schema, "required": required} if required else schema


def _defaults(form: str) -> dict[str, Any]:
    return {one.name: one.default for one in fields(_FORMS[form])} if form in _FORMS else {}


def _default(key: Key, value: Any) -> dict[str, Any]:
    """The default of a key, when it is written like the value itself."""
    plain = key.kind in ("choice", "boolean", "integer", "number", "text", "on_error")
    return {"default": value} if plain and type(value) in (str, bool, int, float) and (
        value != "") else {}


def _described(key: Key) -> dict[str, Any]:
    return {"description": key.about, **_of_key(key)}


def _of_key(key: Key) -> dict[str, Any]:
    if key.kind in ("slug", "duration", "expression", "texts", "kinds", "steps", "options",
                    "on_error"):
        return _ref(key.kind)
    if key.kind in ("integer", "number"):
        bounds = {"minimum": key.least, "maximum": key.most}
        return {"type": key.kind, **{k: v for k, v in bounds.items() if v is not None}}
    if key.kind == "text":
        return {"type": "string"} if key.most is None else {"type": "string",
                                                            "maxLength": int(key.most)}
    if key.kind == "choice":
        return {"enum": list(key.choices)}
    if key.kind == "fact":
        return {"type": [_FACTS[key.shape], "null"]}
    if key.kind == "shape":
        return _nullable(key) if key.shape in ("conversation", "contact", "media") \
            else _ref(key.shape)
    if key.kind == "triggers":
        return _list("trigger", least=1, most=key.most)
    return _OTHERS[key.kind]


def _nullable(key: Key) -> dict[str, Any]:
    return {"oneOf": [_ref(key.shape), {"type": "null"}]}


_OTHERS: Mapping[str, dict[str, Any]] = {
    "version": {"const": grammar.VERSION},
    "boolean": {"type": "boolean"},
    "mapping": {"type": "object"},
    "templates": {"type": "object"},
    "any": {},
    "template": {},
    "retries": {**_ref("texts"), "examples": [list(grammar.RETRY_CLASSES)]},
    "matches": _list("match"),
    "inputs": {"type": "object", "additionalProperties": _ref("input")},
    "tests": _list("test"),
    "example": {"oneOf": [{"type": "integer", "minimum": 1}, _ref("fixture"), _ref("example")]},
    "fixture": _ref("fixture"),
    "moment": {"type": "string", "examples": ["2026-03-02T12:00:00Z"]},
    "given": {"type": "object"},
    "outputs": {"type": "object", "additionalProperties": {"type": "object"}},
    "step_names": {"type": "array", "items": {"type": "string"}},
    "sends": {"type": "array", "items": {"type": "object"}},
}
_FACTS: Mapping[str, str] = {"text": "string", "time": "string", "number": "number",
                             "boolean": "boolean", "list": "array", "mapping": "object"}


def _trigger() -> dict[str, Any]:
    shapes = [_mapping(shape) for shape in grammar.TRIGGERS.values()]
    by_event, _, by_hand = shapes
    by_event["properties"]["provider"] = {
        "description": grammar.EVENT_TRIGGER["provider"].about,
        "anyOf": [{"enum": list(adapters())}, _ref("texts")]}
    by_hand["properties"]["manual"]["const"] = True
    return {"oneOf": shapes}


_BODIES: Mapping[str, dict[str, Any]] = {
    "set": {"type": "object"}, "branch": _list("branch"), "for_each": _ref("for_each"),
    "parallel": _ref("options"), "wait": _ref("wait_value"), "approval": _ref("approval"),
    "decide": _ref("decide"), "call": _ref("call"), "stop": _ref("stop_value"),
    "with": {"type": "object"},
}


def _step(actions: Mapping[str, Action]) -> dict[str, Any]:
    schema = _mapping(grammar.STEP)
    known = sorted(actions)
    bodies = {**_BODIES, "uses": {"anyOf": [
        {"enum": known, "enumDescriptions": [actions[id].summary for id in known]},
        {"type": "string", "pattern": "@[0-9]+$"}]}}
    for name, body in bodies.items():
        schema["properties"][name] = {"description": grammar.BODY_KEYS[name], **body}
    schema["oneOf"] = [{"required": [kind]} for kind in grammar.STEP_KINDS]
    schema["allOf"] = [_rule(action) for action in actions.values()]
    return schema


def _rule(action: Action) -> dict[str, Any]:
    """`with` follows the action that `uses` names."""
    required = [name for name, field in action.params.model_fields.items() if field.is_required()]
    then: dict[str, Any] = {"properties": {"with": _ref(f"params:{action.id}")}}
    if required:
        then["required"] = ["with"]
    return {"if": {"required": ["uses"],
                   "properties": {"uses": {"enum": [action.id, f"{action.id}@{action.version}"]}}},
            "then": then}


def _params(action: Action) -> dict[str, Any]:
    """The definitions of one action's parameters; each may also be a text with `${{ }}`."""
    schema = action.params.model_json_schema(
        ref_template=f"#/$defs/params:{action.id}:{{model}}")
    inner = schema.pop("$defs", {})
    schema["properties"] = {
        name: {"description": prop.get("description", ""),
               **({"default": prop["default"]} if "default" in prop else {}),
               "anyOf": [prop, _TEMPLATE]}
        for name, prop in schema.get("properties", {}).items()}
    schema["description"] = action.summary
    nested = {f"params:{action.id}:{name}": part for name, part in inner.items()}
    return {f"params:{action.id}": schema, **nested}


def vocabulary() -> dict[str, Any]:
    """What an editor completes: names with their fields, functions, event kinds."""
    return {"names": {root: _field(field) for root, field in names.ROOTS.items()},
            "functions": {f.name: {"signature": f.signature, "about": f.about}
                          for f in FUNCTIONS.values()},
            "kinds": list(KINDS)}


def _field(field: names.Field) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": field.kind, "about": field.about}
    if field.fields:
        described["fields"] = {name: _field(inner) for name, inner in field.fields.items()}
    return described
