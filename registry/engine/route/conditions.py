"""Whether a trigger takes an event, and if not, the clause that says no."""

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from events.models import Event
from omni.errors import InvalidWorkflow
from registry.engine.route import named
from registry.engine.run import scope
from registry.expressions.budget import Budget, TooMuchError
from registry.expressions.expression import (
    RUNTIME_ERRORS,
    Expression,
    ExpressionError,
    compile_expression,
)
from registry.language.definition import Definition, Trigger


def clause_that_fails(definition: Definition, event: Event, values: scope.Lazy, *,
                      inputs: Mapping[str, Any]) -> dict[str, str] | None:
    """None when one trigger takes the event, else what the last one said no with.

    All triggers together are one evaluation, as far as the work they may do goes.
    """
    with Budget(whose="the conditions of a workflow"):
        return _clause_that_fails(definition, event, values, inputs=inputs)


def _clause_that_fails(definition: Definition, event: Event, values: scope.Lazy, *,
                       inputs: Mapping[str, Any]) -> dict[str, str] | None:
    said: dict[str, str] | None = None
    values["inputs"] = inputs
    if named.workflow_of(event) == definition.id:
        if any(named.is_for(event, trigger) for trigger in definition.triggers):
            return None
        said = {"result": "condition", "clause": named.how(event)}
    for trigger in definition.triggers:
        if not trigger.matches_type(event.event_type):
            continue
        said = _no(trigger, event, values)
        if said is None:
            return None
    return said


def _no(trigger: Trigger, event: Event, values: scope.Lazy) -> dict[str, str] | None:
    if trigger.provider and event.provider not in trigger.provider:
        return {"result": "condition", "clause": f"provider is {event.provider}"}
    if trigger.instance and event.instance.slug not in trigger.instance:
        return {"result": "condition", "clause": f"instance is {event.instance.slug}"}
    if trigger.where is None:
        return None
    try:
        clause = failing_clause(trigger.where, values)
    except ExpressionError as exc:
        return {"result": "error", "clause": exc.message}
    return None if clause is None else {"result": "condition", "clause": clause}


def failing_clause(where: Expression, values: Mapping[str, Any]) -> str | None:
    """The first part of an `and` chain that is not true, the whole text when there is no chain.

    None when it is true. An `and` chain is asked part by part, so each part is computed once.
    Raises ExpressionError, which names the whole text.
    """
    try:
        clauses = _clauses(where.source)
        for clause in clauses:
            if not clause.run(values):
                return clause.source
        if clauses:
            return None
    except TooMuchError as error:
        raise where.refused(error) from error
    except RUNTIME_ERRORS:
        pass  # the whole text says it again, with its own words
    return None if where.evaluate(values) else where.source


@lru_cache(maxsize=4096)
def _clauses(source: str) -> tuple[Expression, ...]:
    text = source.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return ()
    if not (isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)):
        return ()
    parts = [ast.get_source_segment(text, value) or text for value in tree.values]
    try:
        return tuple(compile_expression(part) for part in parts)
    except InvalidWorkflow:
        return ()
