"""Checks a workflow as a whole: references between its parts, what this version can run, and
warnings about what is allowed but probably not meant."""

import re
from collections.abc import Mapping

from actions.base import Action
from connections.envelope import KINDS, MESSAGE_KINDS
from omni.yaml.marks import Path
from registry.expressions import kinds, names
from registry.expressions.closures import Read
from registry.language import durations, grammar
from registry.language.bodies import StepReader
from registry.language.definition import ApprovalBody, Definition, Trigger, UsesBody
from registry.language.expression_reading import PlacedExpression
from registry.language.plain_facts import facts

AGENT_ACTIONS = "route.agent."
ANSWERED = (*sorted(MESSAGE_KINDS), *(kind for kind in KINDS if kind.startswith("interaction.")))
_ITS_TEXT = re.compile(r"\s*\$\{\{\s*steps\.[\w-]+\.output\.text\s*\}\}\s*")
_TEXTS = frozenset(("text", "name", "title", "description", "reason", "message"))  # keys of prose
_PARAMETERS = frozenset(("with", "set", "inputs", "outputs", "tests"))
_WANTED: Mapping[Path, tuple[tuple[str, ...], str, bool]] = {
    # end of a path -> kinds, the way out, whether null is taken (then only a literal is certain)
    ("for_each", "in"): (("list",), "; write [ ] around items, or split(…)", True),
    ("wait", "until"): (("time", "text"), "; write time('2026-11-22T09:00')", False)}


def check_references(reader: StepReader) -> None:
    """Note reads of steps and inputs that are not there, or not there yet."""
    for placed in reader.expressions:
        for read in placed.expression.reads:
            if read.path[0] in ("item", "loop"):
                _check_turn(reader, placed, read)
            if len(read.path) < 2:
                continue
            if read.path[0] == "steps":
                _check_step(reader, placed, read)
            elif read.path[0] == "inputs":
                _check_input(reader, placed, read)


def _check_turn(reader: StepReader, placed: PlacedExpression, read: Read) -> None:
    """The list of a for_each is read before its first turn, so only turns around it are there."""
    around = zip(placed.owner, placed.owner[1:], strict=False)
    if placed.path[-2:] == ("for_each", "in") and ("for_each", "do") not in around:
        reader.note(placed.path, "unknown_name", f"'{read.path[0]}' can only be used "
                    f"{names.ONLY_IN[read.path[0]]}", offset=placed.offset + read.offsets[0])


def _check_step(reader: StepReader, placed: PlacedExpression, read: Read) -> None:
    id, offset = read.path[1], placed.offset + read.offsets[1]
    target = reader.ids.get(id)
    if target is None:
        near, hint = names.hint(id, reader.ids)
        reader.note(placed.path, "unknown_step", f"unknown step '{names.shown(id)}'"
                    + (hint or "; no step has an id"), suggestion=near,
                    offset=offset)
        return
    reason = _not_there(reader, placed.owner, target)
    if reason:
        reader.note(placed.path, "step_order", f"step '{id}' {reason}", offset=offset)


def _not_there(reader: StepReader, owner: Path, target: Path) -> str:
    """Why a step at `owner` cannot read the step at `target`, "" when it can."""
    if owner == target:
        return "is this one; it has no output yet"
    if owner[:len(target)] == target:
        inside = owner[len(target)]
        return "" if inside in ("on_error", "decide") else "has not ended here"
    if owner[0] == "on_error" and target[0] == "steps":
        return ""
    if reader.order[target] > reader.order[owner] or owner[0] != target[0]:
        return "runs after this one"
    if _in_other_arm(owner, target):
        return "runs in another parallel arm"
    return ""


def _in_other_arm(one: Path, other: Path) -> bool:
    pairs = zip(one, other, strict=False)
    fork = next((index for index, (left, right) in enumerate(pairs) if left != right), 0)
    return fork > 1 and one[fork - 1] == "parallel" and isinstance(one[fork], str) \
        and isinstance(one[fork - 2], int)


def _check_input(reader: StepReader, placed: PlacedExpression, read: Read) -> None:
    declared = reader.document_at(("inputs",))
    if isinstance(declared, Mapping) and read.path[1] in declared:
        return
    known = declared if isinstance(declared, Mapping) else {}
    near = names.nearest(read.path[1], known)
    hint = f"did you mean '{near}'?" if near else "declare it under inputs"
    reader.note(placed.path, "unknown_input",
                f"unknown input '{names.shown(read.path[1])}'; {hint}", suggestion=near,
                offset=placed.offset + read.offsets[1])


def check_cuts(reader: StepReader) -> None:
    """Warn of a text that YAML ends at ` #`, where what follows looks like more of it."""
    for path, mark in reader.document.cuts.items():
        value = reader.document_at(path)
        if isinstance(value, str) and _is_whole(path, value):
            continue
        kept = f"ends with '{names.shown(value)[-40:]}'" if isinstance(value, str) else "is empty"
        reader.note_at(mark, "cut", "YAML reads this '#' and the rest of the line as a comment, "
                       f"so the value {kept}; put the whole value in quotes, or a space after "
                       "the '#' of a comment", severity="warning")
    for path, mark in reader.document.key_cuts.items():
        reader.note_at(mark, "cut", "YAML reads this '#' and the rest of the line as a comment, "
                       f"so the key is '{names.shown(str(path[-1]))}' and has no value here; put "
                       "the whole key in quotes, or a space after the '#' of a comment",
                       severity="warning")


def _is_whole(path: Path, value: str) -> bool:
    """Whether a value is as complete as it can be: a duration, or outside the parameters, where
    people write text, one word without a blank.
    """
    if path[-1] in _TEXTS:
        return False
    is_parameter = not _PARAMETERS.isdisjoint(path)
    return re.fullmatch(durations.PATTERN if is_parameter else r"[\w.*:@/-]+", value) is not None


def check_kinds(reader: StepReader) -> None:
    """Note parts of expressions that can only fail in the run."""
    inputs = _kinds_of_inputs(reader.document_at(("inputs",)))
    for placed in reader.expressions:
        kind, mistakes = kinds.look(placed.expression.source, inputs=inputs)
        for mistake in mistakes:
            reader.note(placed.path, mistake.code, mistake.message,
                        suggestion=mistake.suggestion, offset=placed.offset + mistake.offset)
        wanted = _WANTED.get(placed.path[-2:])
        told = {(problem.line, problem.column) for problem in reader.problems} if wanted else ()
        if wanted and kind not in (None, *wanted[0]) and (
                placed.expression.constant or not wanted[2]) and reader.document.mark(
                placed.path) not in told:
            reader.note(placed.path, "kind", f"{'.'.join(map(str, placed.path[-2:]))} must be "
                        f"{kinds.DESCRIBED[wanted[0][0]]}, not {kinds.DESCRIBED[str(kind)]}"
                        f"{wanted[1]}")


def _kinds_of_inputs(declared: object) -> dict[str, names.Kind]:
    """The certain kinds among the `inputs` of a document, which may hold anything yet."""
    found: dict[str, names.Kind] = {}
    for name, one in declared.items() if isinstance(declared, Mapping) else ():
        kind = one.get("type") if isinstance(one, Mapping) else None
        if isinstance(kind, str) and kind in kinds.INPUTS:
            found[name] = kinds.INPUTS[kind]
    return found


def check_executable(reader: StepReader, *, executable: frozenset[str] | None,
                     gates: frozenset[str] | None) -> None:
    """Note step kinds and gates the running version cannot execute; None means all are."""
    for path in reader.order:
        data = reader.document_at(path)
        kinds = [kind for kind in grammar.STEP_KINDS if kind in data]
        if executable is not None and len(kinds) == 1 and kinds[0] not in executable:
            reader.note_key((*path, kinds[0]), "not_executable",
                            f"step kind '{kinds[0]}' is not executable by this version")
    for gate in grammar.GATES:
        if gates is not None and gate not in gates and gate in reader.document_at(()):
            reader.note_key((gate,), "not_executable",
                            f"gate '{gate}' is not executable by this version")


def check_habits(reader: StepReader, definition: Definition,
                 actions: Mapping[Path, Action]) -> None:
    """Warnings: unchecked answers of agents, and answers that nobody else knows of."""
    if definition.claim is None and answers(actions) and any(
            map(_is_answered, definition.triggers)):
        reader.note_key(("trigger",), "no_claim", "this workflow sends without a claim: another "
                        "one may answer the same event; add 'claim: reply'", severity="warning")
    _check_agent_answers(reader, actions)


def answers(actions: Mapping[Path, Action]) -> bool:
    """Whether a step sends a message; a notification (meta.notify.*) is none."""
    return any(_is_answer(action) for action in actions.values())


def _is_answer(action: Action) -> bool:
    return action.kind == "route" and action.effects == "send"


def _is_answered(trigger: Trigger) -> bool:
    """Whether it takes what several workflows may want to answer: what somebody else said.

    Not our own messages, and not what only tells: votes, statuses, system.*, workflow.failed.
    """
    said = dict(facts(trigger.where.source)) if trigger.where else {}
    is_own = said.get("event.direction", "inbound") != "inbound" or said.get(
        "bool event.from_me") is True
    return not is_own and any(map(trigger.matches_type, ANSWERED))


def _check_agent_answers(reader: StepReader, actions: Mapping[Path, Action]) -> None:
    """Warn of a send that passes on an agent's words unseen by a validator or a person.

    Not of the plain answer: a route.reply whose whole text is the agent's, to who asked it.
    """
    agents: dict[str, int] = {}
    validated = -1
    for number, placed in enumerate(reader.steps):
        action = actions.get(placed.path)
        body = placed.step.body
        if isinstance(body, ApprovalBody) or (
                isinstance(body, UsesBody) and body.action_id.startswith("validate.")):
            validated = number
        if action is None or not isinstance(body, UsesBody):
            continue
        if action.id.startswith(AGENT_ACTIONS) and placed.step.id:
            agents[placed.step.id] = number
        if not _is_answer(action) or _is_plain_answer(action, body):
            continue
        parts = [name.split(".") for name in sorted(body.params.names)]
        for id in dict.fromkeys(part[1] for part in parts
                                if part[0] == "steps" and part[2:3] == ["output"]):
            if validated < agents.get(id, -1) < number:
                reader.note((*placed.path, "uses"), "unvalidated",
                            f"sends what agent step '{id}' wrote with no validate.* step between",
                            severity="warning")


def _is_plain_answer(action: Action, body: UsesBody) -> bool:
    text = body.params.source.get("text")
    return action.id == "route.reply" and isinstance(text, str) and bool(
        _ITS_TEXT.fullmatch(text))
