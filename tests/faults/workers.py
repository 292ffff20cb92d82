"""Workers as forked processes of a test: each does one turn, and may be killed at a named place.

Their sessions are new, so that they see the clock of the database, which `Clockwork` moves.
"""

import os
import signal
import sys
import traceback
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection

from registry.engine.route import routing
from registry.engine.run import runner
from registry.engine.waits import endings
from registry.engine.work import queue
from registry.models import Run


def turn(*, failpoint: str = "") -> bool:
    """One worker does everything that can be done now; whether it was killed on the way."""
    child = os.fork()
    if child == 0:
        _work(failpoint)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the worker failed; its error is above"
    return False


def _work(failpoint: str) -> None:
    """The life of a forked worker; never returns."""
    inherited = connection.connection  # the parent's session: kept, so that it is not closed here
    connection.connection = None
    try:
        settings.OMNI_FAILPOINT = failpoint
        endings.sweep()
        while routing.route() + queue.wake_due() + len(
                claims := [*queue.claim("w", limit=10), *queue.claim("w", limit=1, alone=True)]):
            for claim in claims:
                runner.advance(claim)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    assert inherited is not None
    os._exit(0)


def end_leases() -> None:
    """Let the leases of killed workers run out now."""
    Run.objects.filter(state="running").update(lease_until=datetime(2020, 1, 1, tzinfo=UTC))


class Clockwork:
    """The clock of the whole test database, for every session that begins afterwards and this."""

    def __init__(self) -> None:
        self.name = connection.settings_dict["NAME"]

    def move_to(self, moment: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM %s - statement_timestamp())", [moment])
            self.set(float(cursor.fetchone()[0]) + 0.05)

    def set(self, seconds: float) -> None:
        offset = f"{seconds:.3f} seconds" if seconds else ""
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{self.name}" SET omni.clock_offset = %s', [offset])
            cursor.execute("SELECT set_config('omni.clock_offset', %s, false)", [offset])


