"""`manage.py up`: everything on one machine, from an empty folder to a page that answers.

Exit codes: 0 stopped as asked, 1 could not start, 2 wrong arguments. Windows is not supported.
"""

import os
import signal
import sys
from argparse import ArgumentTypeError
from importlib.util import find_spec
from time import monotonic, sleep
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError, connection

from omni.embedded.server import EmbeddedPostgres
from omni.errors import OmniError
from omni.processes.supervisor import Child, Supervisor
from omni.web.front import answers, check_port

DATABASE_SECONDS = 30.0  # how long to wait for a server of DATABASE_URL that is not there yet
MIGRATION_LOCK = 0x6F6D6E69  # "omni": one `up` migrates, the others wait
PAGES = {"admin": "/admin/", "live": "/live/", "API": "/api/docs/", "health": "/healthz"}


class Command(BaseCommand):
    help = "Start everything: database, migrations, first data, web server, workers, listeners."

    def add_arguments(self, parser):
        parser.add_argument("--host", help="address to listen on (OMNI_HOST)")
        parser.add_argument("--port", type=_port, help="port to listen on (OMNI_PORT)")
        parser.add_argument("--workers", type=_positive, help="worker processes (OMNI_WORKERS)")
        parser.add_argument("--demo", action="store_true",
                            help="also play a recorded day of traffic")
        parser.add_argument("--no-web", action="store_true", help="without the web server")
        parser.add_argument("--no-workers", action="store_true", help="without the workers")
        parser.add_argument("--no-listeners", action="store_true", help="without the listeners")

    def handle(self, **options):
        _settle_environment(options)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        database = None
        try:
            if not options["no_web"]:
                check_port(settings.OMNI_HOST, settings.OMNI_PORT)
            if not os.environ.get("DATABASE_URL"):
                database = EmbeddedPostgres(settings.OMNI_DATA_DIR)
                self.stdout.write(f"Starting PostgreSQL in {settings.OMNI_DATA_DIR} ...")
                _connect_to(database.start())
            self._prepare()
            self._run(options, database)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        except (OmniError, DatabaseError) as exc:
            raise CommandError(str(exc)) from exc
        finally:
            connection.close()
            if database is not None:
                database.stop()

    def _prepare(self) -> None:
        """Migrate and seed."""
        self._wait_for_database()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
            call_command("migrate", interactive=False, verbosity=0)
            if find_spec("registry.versions.seed"):
                from registry.versions.seed import seed  # only now do its tables exist
                for line in seed():
                    self.stdout.write(line)
        connection.close()  # also gives the lock back

    def _wait_for_database(self) -> None:
        deadline = monotonic() + DATABASE_SECONDS
        while True:
            try:
                return connection.ensure_connection()
            except OperationalError as exc:
                if monotonic() > deadline:
                    raise CommandError(f"The database does not answer: {exc}") from exc
            self.stdout.write("Waiting for the database ...")
            sleep(2)

    def _run(self, options: dict, database: EmbeddedPostgres | None) -> None:
        children = list(_children(options))
        if not children:
            raise CommandError("Nothing to start: every part is switched off.")
        supervisor = Supervisor(children, database=database, out=sys.stdout)

        def announce() -> bool:
            if not answers(settings.OMNI_HOST, settings.OMNI_PORT, "/healthz"):
                return False
            supervisor.say(f"Omni answers at {settings.OMNI_PUBLIC_URL}")
            for name, path in PAGES.items():
                supervisor.say(f"  {name:<8}{settings.OMNI_PUBLIC_URL}{path}")
            supervisor.say("Ctrl-C stops everything.")
            return True

        if not options["no_web"]:
            supervisor.ready = announce
        supervisor.run()


def _children(options: dict):
    """What to start; a command that does not exist in this installation is left out."""
    if not options["no_web"]:
        yield Child("web", [
            sys.executable, "-m", "granian", "--interface", "asgi", "--ws", "--workers", "1",
            "--host", settings.OMNI_HOST, "--port", str(settings.OMNI_PORT),
            "--workers-kill-timeout", "15", "--log-level", "warning", "omni.asgi:application"])
    commands = {"worker": ["omni_worker"], "listeners": ["listen", "--all"], "demo": ["demo"]}
    wanted = {"worker": not options["no_workers"], "listeners": not options["no_listeners"],
              "demo": options["demo"]}
    manage = str(settings.BASE_DIR / "manage.py")
    for name, command in commands.items():
        if wanted[name] and command[0] in get_commands():
            yield Child(name, [sys.executable, manage, *command], once=name == "demo")


def _settle_environment(options: dict) -> None:
    """Make the options part of the environment, which settings and children read.

    The settings of this process are made already, so it starts itself anew when they differ.
    """
    given = {"OMNI_HOST": options["host"], "OMNI_PORT": options["port"],
             "OMNI_WORKERS": options["workers"]}
    if options["demo"]:  # its stand-in for a provider listens on this machine
        os.environ.setdefault("OMNI_ALLOW_PRIVATE_ADDRESSES", "127.0.0.0/8,::1")
    changed = {name: str(value) for name, value in given.items()
               if value is not None and value != getattr(settings, name)}
    if changed:
        os.environ.update(changed)
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _connect_to(url: str) -> None:
    """Use the embedded server at `url`; its socket may have moved since settings were read."""
    host = parse_qs(urlsplit(url).query)["host"][0]
    connection.settings_dict["OPTIONS"]["host"] = host


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise ArgumentTypeError(f"must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise ArgumentTypeError(f"must be 1 or more, not {text!r}")
    return int(text)
