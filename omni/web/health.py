"""`/healthz` says that the process answers; `/readyz` that it could do its work now."""

from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and a worker holds a slot, else 503 with what is missing."""
    missing = []
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity "
                           "WHERE application_name = 'omni-worker' "
                           "AND datname = current_database()")
            if not cursor.fetchone()[0]:
                missing.append("no worker is running")
    except (DatabaseError, InterfaceError):
        missing.append("the database does not answer")
    return JsonResponse({"status": "unavailable" if missing else "ok", "missing": missing},
                        status=503 if missing else 200)
