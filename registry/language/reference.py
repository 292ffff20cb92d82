"""The reference of the language, docs/workflow-language.md, made of the tables the code works with.

`python -m registry.language.reference > docs/workflow-language.md` writes it again; a test compares
them.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from connections.envelope import KINDS
from omni.yaml import profile
from omni.yaml.marks import MAX_PROBLEMS
from registry.expressions import budget, functions, names, patterns, values
from registry.expressions import expression as expressions
from registry.language import definition, durations, fixtures, grammar, inputs, retry
from registry.language.grammar import Key, Shape

_FORMS: Mapping[str, Callable[..., Any]] = {  # where the default of a key is written
    "workflow": definition.Definition, "step": definition.Step, "retry": definition.Retry,
    "input": definition.Input, "schedule": definition.Schedule, "debounce": definition.Debounce,
    "throttle": definition.Throttle, "concurrency": definition.Concurrency,
    "for_each": definition.ForEachBody, "wait": definition.WaitBody,
    "approval": definition.ApprovalBody, "call": definition.CallBody}
_KINDS: Mapping[str, str] = {  # of a key -> what is written there
    "version": "`1`", "slug": "a name", "text": "text", "integer": "a whole number",
    "number": "a number", "boolean": "`true` or `false`", "duration": "a duration",
    "expression": "an expression", "texts": "a text or a list of texts", "mapping": "a mapping",
    "any": "any value", "template": "a value, `${{ … }}` allowed",
    "templates": "a mapping of values, `${{ … }}` allowed",
    "kinds": "an event kind or a list of them", "retries": "a retry class or a list of them",
    "steps": "a list of [steps](#a-step)", "on_error": "`fail`, `continue` or a list of steps",
    "options": "a mapping of names to lists of steps", "arms": "a list of arms",
    "inputs": "a mapping of names to [inputs](#an-input)",
    "triggers": "a list of [triggers](#triggers)",
    "matches": "a list of [events to look for](#cancel_on)",
    "tests": "a list of [tests](#a-test)",
    "example": "a number, the name of a fixture, or [fields over one](#the-event-of-a-test)",
    "fixture": "the name of a fixture", "moment": "a time like `2026-03-02T12:00:00Z`",
    "outputs": "a mapping of steps to mappings", "given": "a mapping of inputs to values",
    "step_names": "a list of steps, by id or path", "sends": "a list of mappings"}
_SHAPES: Mapping[str, str] = {  # of a nested mapping -> its heading, where that has another name
    "schedule": "by-schedule", "expect": "what-a-test-expects", "gates": "gates-of-a-test",
    **{name: f"{name}-of-a-test" for name in ("media", "conversation", "contact", "instance")}}
_BODIES: Mapping[str, tuple[str, str]] = {  # kind of step -> what is written there, its table
    "uses": ("the id of an action, or `id@major`; its parameters stand in `with`", ""),
    "set": ("a mapping of names to values, `${{ … }}` allowed", ""),
    "branch": ("a list of arms; an arm has `if` and `do`, and the last one may be `else`",
               "branch"),
    "for_each": ("a mapping", "for_each"),
    "parallel": ("a mapping of names to lists of steps", ""),
    "wait": ("a duration, or a mapping with one of `for`, `until`, `event`", "wait"),
    "approval": ("a mapping", "approval"), "decide": ("a mapping", "decide"),
    "call": ("a mapping", "call"),
    "stop": (f"one of {', '.join(f'`{word}`' for word in grammar.STOP_STATUSES)}, or a mapping",
             "stop")}
_TOO_MUCH = f"""

### What is too much

An evaluation is ended with an error that names the call, the limit and the expression before it \
does more than {budget.MOST:,} operations (about 50 ms). An operation is a value looked at, or \
{2 ** budget.READ} characters read; paths, `and`, comparisons with short texts and calls on single \
values cost next to nothing. `in`, `contains`, `overlaps` and `unique` go over a list once, so any \
list a delivery can hold (100,000 values) may be searched in a condition; a text of 64 K \
characters may be read some fifty times (`words` counts fourfold). The conditions of all triggers \
of a workflow count as one evaluation; a workflow whose condition is too much is refused for that \
event, and the decision says so. What a regular expression tries nobody can count: the time it \
takes is counted instead."""
_HEAD = """\
# The workflow language

Every key, name and function, made from the tables the code works with; a test keeps them equal.
[workflows.md](workflows.md) explains how they work together, [actions.md](actions.md) lists the
actions, [recipes.md](recipes.md) shows whole workflows."""


def build() -> str:
    """The whole page, in Markdown."""
    return "\n\n".join([
        _HEAD.replace(".\n", ". ").replace(" the\nactions", " the actions"), _values(),
        _table("## A workflow", "workflow"), _inputs(), _triggers(), _gates(), _step(), *_bodies(),
        _retries(), _roots(), _comparisons(), _functions(), _tests(), _kinds(), _limits()]) + "\n"


def _values() -> str:
    return "## What stands where\n\n" + _rows(("written", "means"), [
        ("a name", f"small letters, digits, `-` and `_`, as `{grammar.SLUG}`"),
        ("a duration", "a number and `ms`, `s`, `m`, `h` or `d`, like `90s` or `7d`; at most "
                       f"{durations.LONGEST / 86_400:,.0f} days"),
        ("an expression", "[names](#names-an-expression-sees), [functions](#functions) and "
                          "operators, without `${{ }}`"),
        ("an event kind", "one of [these](#event-kinds); `*` is one part of it, `**` any number"),
        ("`${{ … }}`", "an expression inside a value; alone it keeps its kind")])


def _table(heading: str, name: str, about: str = "") -> str:
    shape = grammar.SHAPES[name]
    return "\n\n".join(filter(None, (heading, about, _keys(shape, _FORMS.get(name)))))


def _keys(shape: Shape, form: Callable[..., Any] | None = None) -> str:
    known = {one.name: one.default for one in dataclasses.fields(form)} if form else {}  # type: ignore[arg-type]
    return _rows(("key", "is", "default", "means"), [
        (f"`{name}`", _is(key), _default(key, known.get(key.into or name)), key.about)
        for name, key in shape.items()])


def _is(key: Key) -> str:
    if key.kind == "choice":
        return " or ".join(f"`{word}`" for word in key.choices) if len(key.choices) < 5 else (
            ", ".join(f"`{word}`" for word in key.choices))
    if key.kind == "shape":
        anchor = _SHAPES.get(key.shape, key.shape)
        return f"[a mapping](#{anchor})"
    if key.kind == "fact":
        return key.shape
    return _KINDS[key.kind] + _bounds(key)


def _bounds(key: Key) -> str:
    if key.kind == "text" and key.most is not None:
        return f", at most {key.most:,.0f} characters"
    if key.kind == "triggers" and key.most is not None:
        return f", at most {key.most:,.0f}"
    least = "" if key.least is None else f" from {key.least:,g}"
    most = "" if key.most is None else f" to {key.most:,.0f}"
    return least + most


def _default(key: Key, value: Any) -> str:
    """A default as it would be written; "needed" where there is none."""
    if key.required:
        return "needed"
    if isinstance(value, tuple) and value and all(isinstance(one, str) for one in value):
        return f"`{json.dumps(list(value))}`"
    if value in (None, "", ()) or value is dataclasses.MISSING:
        return ""
    if key.kind == "duration":
        return f"`{_duration(value)}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _duration(seconds: float) -> str:
    days, rest = divmod(seconds, 86_400)
    return f"{days:g}d" if days and not rest else f"{seconds:g}s"


def _inputs() -> str:
    return "\n\n".join([
        _table("## An input", "input"), "### Input types",
        _rows(("type", "takes"), [(f"`{name}`", inputs.WANTED[name])
                                  for name in grammar.INPUT_TYPES])])


def _triggers() -> str:
    return "\n\n".join([
        f"## Triggers\n\nA trigger is one of these; a workflow has at most {grammar.MAX_TRIGGERS}.",
        "### By event", _keys(grammar.EVENT_TRIGGER),
        "### By schedule\n\nWritten below `schedule`.",
        _keys(grammar.SCHEDULE, definition.Schedule), "### By hand", _keys(grammar.MANUAL_TRIGGER)])


def _gates() -> str:
    about = {"claim": "A name. Of the workflows with this claim only the first match runs.",
             "cancel_on": "Each item of the list:"}
    parts = ["## Gates\n\nIn the order they are asked; "
             "[what each does and refuses](workflows.md#gates)."]
    for name in ("claim", *(gate for gate in grammar.GATES if gate != "claim")):
        shape = grammar.SHAPES.get(name)
        parts.append("\n\n".join(filter(None, (
            f"### {name}", about.get(name, ""),
            _keys(shape, _FORMS.get(name)) if shape else ""))))
    return "\n\n".join(parts)


def _step() -> str:
    kinds = _rows(("kind", "is", "means"), [
        (f"`{kind}`", f"{written}: [keys](#{kind})" if table else written,
         grammar.BODY_KEYS[kind])
        for kind in grammar.STEP_KINDS for written, table in (_BODIES[kind],)])
    return "\n\n".join([
        "## A step\n\nA step has exactly one of the kinds below, and these keys. A list holds at "
        f"most {grammar.MAX_STEPS} steps.", _keys(grammar.STEP, definition.Step),
        "### Kinds of steps", kinds,
        "A step's `timeout` means nothing beside "
        + ", ".join(f"`{kind}` ({way})" for kind, way in grammar.NO_TIMEOUT.items()) + "."])


def _bodies() -> Iterable[str]:
    return [_table(f"### {kind}", table) for kind, (_, table) in _BODIES.items() if table]


def _retries() -> str:
    codes: dict[str, list[str]] = {}
    for code, name in retry.CLASSES.items():
        codes.setdefault(name, []).append(f"`{code}`")
    classes = [(f"`{name}`", ", ".join(codes[name]),
                "yes" if name in retry.DEFAULT_ERRORS else "when named")
               for name in grammar.RETRY_CLASSES]
    return "\n\n".join([
        _table("## retry", "retry"), "### Retry classes",
        _rows(("class", "codes of a failure", "tried again"), classes),
        "Never tried again: " + ", ".join(f"`{code}`" for code in sorted(retry.NEVER)) + "."])


def _roots() -> str:
    everywhere = [(f"`{name}`", field.kind, names.ONLY_IN.get(name, "everywhere"), field.about)
                  for name, field in names.ROOTS.items()]
    parts = ["## Names an expression sees", _rows(("name", "kind", "where", "means"), everywhere)]
    nested = {"event.media": names.EVENT["media"], "steps": names.Field("mapping", "", names.STEP)}
    for name, field in {**names.ROOTS, **nested}.items():
        if field.fields:
            start = "steps.<id>" if name == "steps" else name
            parts += [f"### {name}", _rows(("name", "kind", "means"), [
                (f"`{start}.{key}`", inner.kind, inner.about)
                for key, inner in field.fields.items()])]
    return "\n\n".join(parts)


def _functions() -> str:
    return ("## Functions\n\nCalled as `lower(event.text)` or `event.text.lower()`.\n\n"
            + _rows(("function", "gives"), [(f"`{one.signature}`", one.about)
                                            for one in functions.FUNCTIONS.values()]))


def _comparisons() -> str:
    return "## Comparisons\n\n" + _rows(("of", "with", "rule"), [
        ("numbers", "numbers", "by value: 1 is 1.0"),
        ("texts", "texts", "in composed form (NFC), without invisible signs at the ends "
                           "(zero-width signs, direction marks, byte order mark); letter case and "
                           "space count"),
        ("times", "times, or text that tells one", "the moment, whatever the zone"),
        ("true, false", "themselves", "equal or not; they have no order"),
        ("null", "null", "equal; nothing is less or more than null, nor `<=` it"),
        ("lists, mappings", "their like", "equal when what they hold is; they have no order"),
        ("anything", "another kind", "never equal; `<` is an error: write number(x) or text(x)")
    ]) + ("\n\n`==`, `!=`, `in`, `contains`, `overlaps`, `unique`, the keys of gates, the pairs of "
          "`match` and the `choices` of inputs follow it; `matches` sees the text in this form. "
          "`contains`, `glob` and `words` ignore letter case as well.")


def _tests() -> str:
    return "\n\n".join([
        _table("## A test", "test"), _table("### What a test expects", "expect"),
        _table("### Gates of a test", "gates"),
        _table("### The event of a test", "example"),
        *(_table(f"#### {name} of a test", name) for name in ("media", "conversation", "contact",
                                                    "instance")),
        "### Fixtures\n\n" + ", ".join(f"`{name}`" for name in fixtures.EVENTS) + "."])


def _kinds() -> str:
    families: dict[str, list[str]] = {}
    for kind in KINDS:
        families.setdefault(kind.partition(".")[0], []).append(f"`{kind}`")
    return "## Event kinds\n\n" + "\n".join(
        f"- {', '.join(kinds)}" for kinds in families.values())


def _limits() -> str:
    return "## Limits\n\n" + _rows(("of", "at most"), [
        ("a document", f"{profile.MAX_BYTES // 1024:,} KB, {profile.MAX_PARTS:,} keys and values, "
                       f"{profile.MAX_DEPTH} levels"),
        ("problems told of a document", f"{MAX_PROBLEMS:,}"),
        ("steps of one list", f"{grammar.MAX_STEPS:,}"),
        ("triggers", f"{grammar.MAX_TRIGGERS:,}"),
        ("an expression", f"{expressions.MAX_LENGTH:,} characters, {expressions.MAX_NODES:,} "
                          "parts"),
        ("the work of one evaluation", f"{budget.MOST:,} [operations](#what-is-too-much)"),
        ("the conditions of all workflows asked about one event",
         f"{budget.MOST_OF_EVENT:,} operations"),
        ("a text an expression makes", f"{values.MAX_TEXT // 1024:,} K characters"),
        ("a list an expression makes", f"{values.MAX_ITEMS:,} items"),
        ("a regular expression", f"{patterns.MAX_PATTERN:,} characters, on the first "
                                 f"{patterns.MAX_INPUT:,} of a text"),
        ("one attempt of a step that has no limit of its own",
         f"{definition.STEP_SECONDS:g} seconds")]) + _TOO_MUCH


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(
        tuple(_cell(cell) for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines).replace("|  |", "| |")


def _cell(text: str) -> str:
    """A cell; outside code Markdown would take <id> for a mark and leave it out."""
    text = text.replace("|", "\\|")
    return text if "`" in text else text.replace("<", "\\<")


if __name__ == "__main__":
    sys.stdout.write(build())
