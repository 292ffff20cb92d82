"""Workflows that would both answer one event: they send, can match it, and neither claims.

Kinds, providers, instances and the bindings are compared exactly. Of two conditions it is only
seen when they contradict each other in plain words (`x == 'a'` and `x == 'b'`, `x` and `not x`).
"""

from collections.abc import Iterator

from connections.envelope import KINDS
from connections.models import Instance
from omni.errors import InvalidWorkflow
from omni.yaml import profile
from registry.engine.route import matching
from registry.language import document
from registry.language.definition import Definition, Trigger
from registry.language.plain_facts import facts

_NAMED = 3  # instances named in a warning


def warnings(text: str) -> list[profile.Problem]:
    """One warning for each switched-on workflow that can answer what this document answers.

    Empty when the document has errors, claims, answers nobody (a notification to Slack is no
    answer), or is not switched on itself.
    """
    try:
        definition = document.parse(text)
    except InvalidWorkflow:
        return []
    if not definition.answers or definition.claim:
        return []
    line, column = profile.load(text).key_mark(("trigger",))
    return [profile.Problem(line, column, "double_send", _said(definition, rival, shared),
                           severity="warning")
            for rival, shared in _rivals(definition).items()]


def _said(definition: Definition, rival: str, shared: tuple[str, list[str]]) -> str:
    kind, places = shared
    named = ", ".join(places[:_NAMED]) + (f" and {len(places) - _NAMED} more"
                                          if len(places) > _NAMED else "")
    return (f"'{definition.id}' and '{rival}' both send, can match the same event ({kind} on "
            f"{named}), and neither claims; give both 'claim: reply' if one answer is enough")


def _rivals(definition: Definition) -> dict[str, tuple[str, list[str]]]:
    """Slug of the other workflow -> a kind of event both take, and where."""
    on = matching.table(now=True)
    found: dict[str, tuple[str, list[str]]] = {}
    for instance in Instance.objects.active().filter(enabled=True).defer("credentials"):
        here = on.switched_on(instance.pk, instance.provider)
        if not any(effective.slug == definition.id for effective in here):
            continue
        for effective in here:
            other = effective.definition
            if effective.slug == definition.id or not other.answers or other.claim:
                continue
            kind = next(_shared_kinds(definition, other, instance), None)
            if kind is not None:
                found.setdefault(effective.slug, (kind, []))[1].append(instance.slug)
    return found


def _shared_kinds(one: Definition, other: Definition, instance: Instance) -> Iterator[str]:
    for left in one.triggers:
        for right in other.triggers:
            if _takes(left, instance) and _takes(right, instance) and not _contradict(left, right):
                yield from (kind for kind in _kinds(left, right)
                            if left.matches_type(kind) and right.matches_type(kind))


def _takes(trigger: Trigger, instance: Instance) -> bool:
    return bool(trigger.event) and (
        not trigger.provider or instance.provider in trigger.provider) and (
        not trigger.instance or instance.slug in trigger.instance)


def _kinds(left: Trigger, right: Trigger) -> Iterator[str]:
    """Known kinds, and those the triggers name themselves."""
    yield from KINDS
    yield from (kind for kind in (*left.event, *right.event) if "*" not in kind)


def _contradict(left: Trigger, right: Trigger) -> bool:
    if left.where is None or right.where is None:
        return False
    one, other = (dict(facts(where.source)) for where in (left.where, right.where))
    return any(name in other and other[name] != value for name, value in one.items())
