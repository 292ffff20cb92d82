"""Checks of `uses` steps against the action library: the id, the version, every parameter."""

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from actions.base import Action
from omni.errors import UnknownAction
from omni.yaml.marks import Path
from registry.expressions import names
from registry.expressions.templates import OPEN
from registry.language.bodies import PlacedStep, StepReader
from registry.language.definition import UsesBody
from registry.language.reading import quote_hint


class Library(Protocol):
    """Where actions are found; `actions.library` is one."""

    def get(self, id: str) -> Action: ...

    def nearest(self, id: str) -> str | None: ...


def check_actions(reader: StepReader, library: Library) -> dict[Path, Action]:
    """Note every problem of the `uses` steps; returns the action of each step that has one."""
    found: dict[Path, Action] = {}
    for placed in reader.steps:
        body = placed.step.body
        if isinstance(body, UsesBody):
            action = _action(reader, placed, body, library)
            if action is not None:
                found[placed.path] = action
                _check_params(reader, placed.path, body.params.source, action)
    _check_secrets(reader, found)
    return found


def _action(reader: StepReader, placed: PlacedStep, body: UsesBody,
            library: Library) -> Action | None:
    place = (*placed.path, "uses")
    try:
        action = library.get(body.action_id)
    except UnknownAction:
        if OPEN in body.action_id:
            reader.note(place, "unknown_action",
                        "uses must name an action; it cannot hold ${{ … }}")
            return None
        near = library.nearest(body.action_id[:names.LONGEST]) or "" if body.action_id else ""
        hint = f"did you mean '{near}'?" if near else "actions are listed at /api/v1/actions/"
        reader.note(place, "unknown_action",
                    f"unknown action '{names.shown(body.action_id)}'; {hint}", suggestion=near)
        return None
    if body.version is not None and body.version != action.version:
        reader.note(place, "version", f"action '{action.id}' has version {action.version}, "
                                      f"not {body.version}; write {action.id}@{action.version}",
                    suggestion=action.id)
    return action


def _check_params(reader: StepReader, path: Path, params: Mapping[str, Any],
                  action: Action) -> None:
    fields = _fields(action)
    place = (*path, "with") if "with" in reader.document_at(path) else path
    open_model = action.params.model_config.get("extra") == "allow"
    unknown = [name for name in params if name not in fields and not open_model]
    meant = {reader.unknown_key((*place, name), name, fields, action.id) for name in unknown}
    if place == path and "with" in reader.meant(path):
        return
    templated = {name for name in params if holds_template(params[name])}
    literal = {name: value for name, value in params.items()
               if name not in templated and name not in unknown}
    try:
        action.params.model_validate(literal)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            _note_error(reader, place, item, templated | meant, action)


def _note_error(reader: StepReader, place: Path, item: Any, given: set[str],
                action: Action) -> None:
    """given: parameters that are there, though not as plain values under their name."""
    where: Path = item["loc"]
    if item["type"] == "missing" and len(where) == 1:
        if where[0] not in given:
            reader.note(place, "missing_param", f"{action.id} needs '{where[0]}'")
    elif where:
        name = ".".join(str(part) for part in where)
        reader.note((*place, *where), "wrong_param", f"{action.id}: {name}{_words(item)}")
    elif not given:
        reader.note(place, "wrong_param", f"{action.id}: {item['msg']}")


def _words(item: Any) -> str:
    """What pydantic found, in the words of the other messages; its own where we have none."""
    kind = item["type"]
    if item["input"] is None and kind != "missing":
        return " is empty; give it a value"
    word = next((word for part, word in _KINDS if kind.startswith(part)), "")
    if not word:
        return f": {item['msg']}"
    return f" must be {word}" + (quote_hint(item["input"]) if kind == "string_type" else "")


_KINDS = (  # beginning of the type of an error of pydantic, what was wanted
    ("string_type", "text"), ("int_", "a whole number"), ("float_", "a number"),
    ("decimal_", "a number"), ("bool_", "true or false"), ("list_type", "a list"),
    ("tuple_type", "a list"), ("set_type", "a list"), ("dict_type", "a mapping"),
    ("mapping_type", "a mapping"), ("model_", "a mapping"))


def _fields(action: Action) -> list[str]:
    return [field.alias or name for name, field in action.params.model_fields.items()]


def holds_template(value: Any) -> bool:
    """Whether a plain value has `${{ }}` somewhere in it."""
    if isinstance(value, Mapping):
        return any(holds_template(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_template(item) for item in value)
    return isinstance(value, str) and OPEN in value


def _check_secrets(reader: StepReader, found: Mapping[Path, Action]) -> None:
    for placed in reader.expressions:
        for read in placed.expression.reads:
            if read.path[0] != "secrets":
                continue
            action = found.get(placed.owner)
            after = placed.path[len(placed.owner):]
            if action is not None and (len(after) < 2 or after[1] not in action.secret):
                allowed = ", ".join(sorted(action.secret)) or "none"
                reader.note(placed.path, "secret", "'secrets' can only be used "
                            f"{names.ONLY_IN['secrets']}; {action.id} has: {allowed}",
                            offset=placed.offset + read.offsets[0])
            elif len(read.path) < 2:  # a name that is made at run time could be made by anybody
                reader.note(placed.path, "secret", "name one secret: secrets.<name>",
                            offset=placed.offset + read.offsets[0])
