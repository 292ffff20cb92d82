"""REST: 409 for a save over somebody else's, with both sides so that nothing is lost."""

import json
from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework.response import Response

from omni.api import PROBLEM, problem
from registry.api.workflow_serializers import StaleSerializer
from registry.versions import drafts, version_diff

STALE = {(409, PROBLEM): OpenApiResponse(StaleSerializer)}


class StaleAnswers:
    """A view that answers `drafts.Stale` with what is stored, what was sent, and the difference."""

    def handle_exception(self, exc: Exception) -> Response:
        if not isinstance(exc, drafts.Stale):
            return super().handle_exception(exc)
        answer = problem(409, exc.message, code=exc.code, path=self.request.path)
        answer.data.update(stored=exc.stored, yours=exc.yours, diff="" if exc.yours is None else
                           version_diff.textual(_text(exc.stored), _text(exc.yours),
                                                names=("stored", "yours")))
        answer.exception = True
        return answer


def _text(side: Any) -> str:
    if side is None or isinstance(side, str):
        return side or ""
    return json.dumps(side, indent=2, ensure_ascii=False, sort_keys=True, default=str)
