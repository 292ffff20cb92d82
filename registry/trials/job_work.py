"""What jobs ask and what they come to, as JSON, and who does each kind.

`doing` is called in the process for trials; `elsewhere` writes requests and reads results.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import DataError

from connections.access import Principal
from connections.models import Instance
from omni.errors import InvalidInput, InvalidWorkflow, NotConfigured, OmniError, Unavailable
from omni.yaml.marks import Problem
from registry.models import Workflow
from registry.trials import requests as trial_requests
from registry.trials import workflow_tests
from registry.trials.tracing import json_of
from registry.trials.trial import Trial
from registry.trials.watching import Watch
from registry.trials.workflow_tests import TestResult

_TIMES = ("since", "until", "now")


def request_of(who: Principal, text: str, options: Mapping[str, Any]) -> str:
    """A request as JSON. options: plain data and times."""
    ids = who.instance_ids
    return json.dumps({"text": text, "options": options, "who": {
        "kind": who.kind, "name": who.name, "scopes": sorted(who.scopes), "id": who.id,
        "made_by": who.made_by, "instance_ids": None if ids is None else sorted(ids)}},
        default=datetime.isoformat)


Work = Callable[[str, str, Principal, dict[str, Any], Watch], Any]  # slug, text, who, options


def doing(job_kinds: Mapping[str, Work], kind: str, workflow: str, request: str,
          watch: Watch) -> str:
    """Do what a job asks; its result as JSON. Raises what the same call raises anywhere."""
    asked = json.loads(request)
    facts, options = asked["who"], asked["options"]
    ids = facts["instance_ids"]
    who = Principal(**{**facts, "scopes": frozenset(facts["scopes"]),
                       "instance_ids": None if ids is None else frozenset(ids)})
    for name in _TIMES:
        if isinstance(options.get(name), str):
            options[name] = datetime.fromisoformat(options[name])
    return json.dumps(job_kinds[kind](workflow, asked["text"], who, options, watch))


def _trial(slug: str, text: str, who: Principal, options: dict[str, Any], watch: Watch) -> Any:
    found = trial_requests.try_event(Workflow.objects.get(slug=slug), text, options.pop("event"),
                                     who, watch=watch, **options)
    return None if found is None else found.as_dict()


def _tests(slug: str, text: str, who: Principal, options: dict[str, Any], watch: Watch) -> Any:
    return [plain(result) for result in workflow_tests.run_tests(text, watch=watch)]


def _backtest(slug: str, text: str, who: Principal, options: dict[str, Any], watch: Watch) -> Any:
    ids = options.pop("instances")
    instances = None if ids is None else list(Instance.objects.visible_to(who).filter(pk__in=ids))
    return trial_requests.backtest_workflow(
        Workflow.objects.get(slug=slug), text, who, instances=instances, watch=watch,
        **options).as_dict()


KINDS: Mapping[str, Work] = {
    "trial": _trial, "tests": _tests, "backtest": _backtest}


def plain(result: TestResult) -> dict[str, Any]:
    """The result of a test with all a page shows of it."""
    return {**result.as_dict(), "expect": json_of(result.expect), "lines": dict(result.lines)}


def result_from(facts: dict[str, Any]) -> TestResult:
    """The result of a test that `plain` told."""
    found = facts["trial"]
    return TestResult(
        facts["name"], facts["line"], [Problem(**item) for item in facts["failures"]],
        None if found is None else Trial(**found), facts["expect"], facts["lines"])


def error_of(exc: Exception) -> dict[str, Any] | None:
    """An error a caller is told, as plain data; None for a bug of ours."""
    if isinstance(exc, InvalidWorkflow):
        return {"kind": "workflow", "problems": [item.as_dict() for item in exc.problems]}
    if isinstance(exc, OmniError):
        kind = ("invalid" if isinstance(exc, InvalidInput) else "unavailable"
                if isinstance(exc, Unavailable | NotConfigured) else "error")
        return {"kind": kind, "message": exc.message, "details": exc.details, "code": exc.code}
    return {"kind": "data", "message": str(exc)} if isinstance(exc, DataError) else None


def raised(error: Mapping[str, Any]) -> Exception:
    """The error that `error_of` told."""
    kind = error["kind"]
    if kind == "workflow":
        return InvalidWorkflow([Problem(**item) for item in error["problems"]])
    if kind == "data":
        return DataError(error["message"])
    return _ERRORS[kind](error["message"], details=error["details"], code=error["code"])


_ERRORS = {"invalid": InvalidInput, "unavailable": Unavailable, "error": OmniError}
