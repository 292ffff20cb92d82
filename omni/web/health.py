"""`/healthz` says that the process answers; `/readyz` that it could do its work now."""

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse

LOOK_SECONDS = 15.0  # a worker that routes looks once a second
ROUTED_SECONDS = 120.0  # an echo may have to wait for a minute until its send is over
_STATE = """
SELECT (SELECT count(*) FROM omni_workers WHERE until >= omni_now()),
    (SELECT extract(epoch FROM omni_now() - max(looked_at))::float8 FROM omni_workers),
    (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM omni_events
     WHERE id = (SELECT min(event_id) FROM omni_inbox))
"""


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, workers are alive and events are routed, else 503 with what
    is missing.
    """
    try:
        missing = _missing()
    except (DatabaseError, InterfaceError):
        missing = ["the database does not answer"]
    return JsonResponse({"status": "unavailable" if missing else "ok", "missing": missing},
                        status=503 if missing else 200)


def _missing() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        workers, looked, oldest = cursor.fetchone()
    if not workers:
        return ["no worker is running"]
    missing = []
    if looked is None or looked > LOOK_SECONDS:
        missing.append("no worker looks for work" + (f" since {looked:.0f} s" if looked else ""))
    if oldest is not None and oldest > ROUTED_SECONDS:
        missing.append(f"the oldest event has waited {oldest:.0f} s to be routed")
    return missing
