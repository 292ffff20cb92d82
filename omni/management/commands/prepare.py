"""`manage.py prepare`: makes the database ready for this version; `up` has it done first.

Exit codes: 0 ready, 1 not. Told to end (SIGTERM) it rolls back what it was at.
"""

import signal
from importlib.util import find_spec
from time import monotonic, sleep

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError, connection

from omni.errors import OmniError

DATABASE_SECONDS = 30.0  # how long to wait for a server of DATABASE_URL that is not there yet
MIGRATION_LOCK = 0x6F6D6E69  # "omni": one migrates, the others wait


class Command(BaseCommand):
    help = "Wait for the database, migrate it, and make the first data where there is none."

    def handle(self, **options):
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._prepare()
        except KeyboardInterrupt:
            raise SystemExit(1) from None
        except (OmniError, DatabaseError) as exc:
            raise CommandError(str(exc)) from exc
        finally:
            connection.close()  # also gives the lock back
            signal.signal(signal.SIGTERM, before)

    def _prepare(self) -> None:
        self._wait_for_database()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            call_command("migrate", interactive=False, verbosity=0)
            if find_spec("registry.versions.seed"):
                from registry.versions.seed import seed  # only now do its tables exist
                for line in seed():
                    self.stdout.write(line)

    def _wait_for_database(self) -> None:
        deadline = monotonic() + DATABASE_SECONDS
        while True:
            try:
                return connection.ensure_connection()
            except OperationalError as exc:
                if monotonic() > deadline:
                    raise CommandError(f"The database does not answer: {exc}") from exc
            self.stdout.write("Waiting for the database ...")
            self.stdout.flush()
            sleep(2)
