"""Secrets of a run: what a workflow names as `secrets.<name>` reaches its action, nothing else."""

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from django.db import InterfaceError, OperationalError
from django.db.models import Q

from actions.base import Outcome
from connections.envelope import SendResult
from connections.secrets.store import Secret, Vault, unknown
from omni.errors import InvalidWorkflow, OmniError, UnknownOutcome
from omni.yaml import profile
from omni.yaml.marks import Path
from registry.language.definition import UsesBody
from registry.language.structure import WorkflowReader

_USERINFO = re.compile(r"https?://[^\s/?#@]+@", re.IGNORECASE)


def without_secrets(vault: Vault, act: Callable[[], Outcome]) -> Outcome:
    """The outcome of a step, or its error, less every secret it was given.

    act: renders the parameters too, since what refuses them may quote them.
    """
    told = ""
    try:
        outcome = act()
    except OmniError as exc:
        exc.message = vault.masked(exc.message)
        exc.details = vault.masked(exc.details)
        raise
    except (OperationalError, InterfaceError):
        raise  # the database is away: that says nothing about the step
    except Exception as exc:  # a bug that quotes a secret is told without it, and not logged
        told = _quoting(vault, exc)
        if not told:
            raise
    if told:
        raise OmniError(told)
    return replace(outcome, output=vault.masked(outcome.output),
                   reason=vault.masked(outcome.reason))


def _quoting(vault: Vault, exc: Exception) -> str:
    """What an error that quotes a secret says, without it; "" when neither it nor a cause does."""
    whole = "".join(traceback.format_exception(exc))
    return "" if vault.masked(whole) == whole else vault.masked(f"{type(exc).__name__}: {exc}")


def masked_facts(vault: Vault, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `deliver.perform` as the outbox may keep them, its answer likewise."""
    call = facts["call"]

    def masked(effect_key: str) -> SendResult:
        told = ""
        try:
            result = call(effect_key)
        except OmniError as exc:
            exc.message = vault.masked(exc.message)
            raise
        except Exception as exc:  # nobody knows what a bug left half done
            told = _quoting(vault, exc)
            if not told:
                raise
        if told:
            raise UnknownOutcome(told)
        return replace(result, error=vault.masked(result.error),
                       answer=vault.masked(result.answer))

    return {**facts, "call": masked, "recipient": vault.masked(facts["recipient"]),
            "request": vault.masked(facts["request"])}


def without_any_secret(instance_id: int, text: str) -> str:
    """A text of nobody knows where, less every secret the account may use."""
    vault = Vault(instance_id)
    for name in Secret.objects.filter(
            Q(instance_id=instance_id) | Q(instance=None)).values_list("name", flat=True):
        vault[name]
    return vault.masked(text)


def warnings(text: str) -> list[profile.Problem]:
    """Secrets a document names that nobody stored, and passwords inside its addresses."""
    try:
        reader = WorkflowReader(profile.load(text))
    except InvalidWorkflow:
        return []
    reader.workflow()
    reader.problems.clear()
    named = [(placed, read) for placed in reader.expressions for read in placed.expression.reads
             if read.path[0] == "secrets" and len(read.path) > 1]
    missing = unknown(read.path[1] for _, read in named)
    for placed, read in named:
        if read.path[1] in missing:
            reader.note(placed.path, "unknown_secret", f"there is no secret '{read.path[1]}'; add "
                        "it under Secrets, until then this step is unavailable",
                        offset=placed.offset + read.offsets[1], severity="warning")
    for placed in reader.steps:
        if isinstance(placed.step.body, UsesBody):
            for path, value in _texts(placed.step.body.params.source, (*placed.path, "with")):
                if _USERINFO.search(value):
                    reader.note(path, "password_in_address", "a name and password in an address "
                                "are shown to everybody who may read this workflow; keep the "
                                "address under Secrets and write ${{ secrets.… }}",
                                severity="warning")
    return reader.problems


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, (*path, name))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))
    elif isinstance(value, str):
        yield path, value
