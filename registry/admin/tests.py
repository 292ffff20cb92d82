"""Admin: the tests of a workflow's draft, what they expected beside what came, and publishing it.

The results of the last look are kept in the person's session, with the revision they are of: a
redirect or a reload does not lose them, and an edit by anybody does.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from connections.rest.authentication import principal
from omni.errors import InvalidWorkflow, OmniError
from omni.yaml import profile
from registry.admin.versions import warn
from registry.models import Workflow
from registry.trials import elsewhere, expectations, workflow_tests
from registry.trials.workflow_tests import TestResult
from registry.versions import drafts, publishing

KEPT = "omni.workflow_tests"  # of the workflow looked at last
REASON_MOST = 2000  # characters
SHOWN_MOST = 4000  # characters of one value
_BUTTONS = ("_take", "_tests", "_publish_anyway", "_publish")


class TestsPanel:
    """Part of the workflow's page: the panel "Tests", and what publishing says about it."""

    def tests_context(self, request: HttpRequest, row: Workflow) -> dict[str, Any]:
        """tests: the results that still hold, None when nobody looked; test_problems: their
        failures, for the list above the editor.
        """
        kept = request.session.get(KEPT) or {}
        if kept.get("workflow") != row.pk or kept.get("revision") != row.revision:
            return {"tests": None, "test_problems": [],
                    "has_tests": workflow_tests.has_tests(row.draft)}
        return {"tests": kept["tests"], "has_tests": True,
                "publish_note": kept["note"],
                "failed_tests": sum(not test["passed"] for test in kept["tests"]),
                "test_problems": [profile.Problem(**item) for test in kept["tests"]
                                  for item in test["failures"]]}

    def asks_tests(self, request: HttpRequest) -> bool:
        """Whether it was a button of the panel, or "Save and publish"."""
        return any(name in request.POST for name in _BUTTONS)

    def answer_tests(self, request: HttpRequest, obj: Workflow) -> HttpResponse:
        """What these buttons lead to, after the draft is committed."""
        if "_take" in request.POST:
            self._take(request, obj)
        elif "_tests" in request.POST:
            self._look(request, obj)
        elif "_publish_anyway" in request.POST:
            self._publish_anyway(request, obj)
        else:
            self._publish(request, obj, note=request.POST.get("publish_note", "")[:REASON_MOST])
        return HttpResponseRedirect(reverse("admin:registry_workflow_change", args=[obj.pk]))

    def _take(self, request: HttpRequest, obj: Workflow) -> None:
        """Let one test expect what came, and run all of them again."""
        number = request.POST["_take"]
        try:
            results = elsewhere.run_tests(obj.draft, principal(request))
        except InvalidWorkflow:
            results = []
        except OmniError as exc:
            messages.error(request, f"The tests were not run: {exc.message}")
            return
        if not (number.isascii() and number.isdigit() and int(number[:9]) < len(results)):
            messages.error(request, "There is no such test any more.")
            return
        text = expectations.take(obj.draft, int(number), results[int(number)])
        drafts.save_draft(text, actor=principal(request).name, base_revision=obj.revision)
        obj.refresh_from_db()
        self._look(request, obj)

    def _publish_anyway(self, request: HttpRequest, obj: Workflow) -> None:
        reason = request.POST.get("publish_reason", "").strip()[:REASON_MOST]
        if not reason:
            messages.error(request, "Not published: say why it goes out although tests fail. The "
                                    "draft is saved.")
            self._look(request, obj, quietly=True)
            return
        self._publish(request, obj, note=reason, skip_tests=True)

    def _publish(self, request: HttpRequest, obj: Workflow, **options: Any) -> None:
        try:
            version = publishing.publish(obj, actor=principal(request).name, user=request.user,
                                         tests=elsewhere.tests_for(principal(request)), **options)
        except InvalidWorkflow as exc:
            failed = [item for item in exc.problems if item.code == "test_failed"]
            if failed:
                self._look(request, obj, quietly=True)
            what = "what its tests expect did not come" if failed else f"{len(exc.problems)} errors"
            messages.error(request, f"Not published: {what}, listed below. The draft is saved."
                           + (" Change the document or its tests, or publish anyway with a reason "
                              "(panel Tests)." if failed else ""))
            return
        except OmniError as exc:
            messages.error(request, f"Not published: {exc.message} The draft is saved.")
            return
        messages.success(request, f"{obj.slug} v{version.number} is published.")
        warn(request, version)
        if not obj.bindings.filter(enabled=True).exists():
            messages.warning(request, f"{obj.slug} is on nowhere. Choose below for whom it is "
                                      "switched on.")

    def _look(self, request: HttpRequest, obj: Workflow, *, quietly: bool = False) -> None:
        try:
            results = elsewhere.run_tests(obj.draft, principal(request))
        except InvalidWorkflow as exc:
            messages.error(request, f"The tests were not run: the draft has {len(exc.problems)} "
                                    "errors. It is saved.")
            return
        except OmniError as exc:
            messages.error(request, f"The tests were not run: {exc.message} The draft is saved.")
            return
        request.session[KEPT] = {"workflow": obj.pk, "revision": obj.revision,
                                 "note": request.POST.get("publish_note", "")[:REASON_MOST],
                                 "tests": [_shown(result) for result in results]}
        failed = sum(not result.passed for result in results)
        if not quietly:
            messages.add_message(
                request, messages.WARNING if failed else messages.SUCCESS,
                f"{len(results)} tests, {failed} failed. The draft is saved." if results else
                "This workflow has no tests. The draft is saved.")


TestsPanel.__test__ = False  # type: ignore[attr-defined]  # whatever pytest says


def _shown(result: TestResult) -> dict[str, Any]:
    """One test, as plain data. parts: what it expected beside what came."""
    parts = []
    for name, wanted in result.expect.items() if result.trial else ():
        got, is_same = workflow_tests.came(name, wanted, result.trial)
        parts.append({"name": name, "line": result.lines[name], "expected": _text(wanted),
                      "came": _text(got), "same": is_same})
    return {"name": result.name, "line": result.line, "passed": result.passed, "parts": parts,
            "failures": [failure.as_dict() for failure in result.failures],
            "can_take": expectations.can_take(result)}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else profile.dump(value).strip()
    return text.removesuffix("...").strip()[:SHOWN_MOST]
