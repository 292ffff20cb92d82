"""`manage.py up`: everything on one machine, from an empty folder to a page that answers.

Exit codes: 0 stopped as asked, 1 could not start, 2 wrong arguments. Windows is not supported.
"""

import os
import signal
import sys
from argparse import ArgumentTypeError

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from connections import library
from omni.errors import OmniError
from omni.processes.supervisor import Child
from omni.processes.up import ENDING, Plan
from omni.web.front import check_port

MANAGE = str(settings.BASE_DIR / "manage.py")


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
        if all(options[f"no_{part}"] for part in ("web", "workers", "listeners")) \
                and not options["demo"]:
            raise CommandError("Nothing to start: every part is switched off.")
        try:
            if not options["no_web"]:
                check_port(settings.OMNI_HOST, settings.OMNI_PORT)
        except OmniError as exc:
            raise CommandError(str(exc)) from exc
        _become(Plan(
            data_dir=None if os.environ.get("DATABASE_URL") else str(settings.OMNI_DATA_DIR),
            prepare=[sys.executable, MANAGE, "prepare"], children=list(_children(options)),
            web=not options["no_web"], host=settings.OMNI_HOST, port=settings.OMNI_PORT,
            public_url=settings.OMNI_PUBLIC_URL))


def _become(plan: Plan) -> None:
    """Go on as the small program, in this process: its id, its parent, its output stay.

    A signal of these moments waits until that program can answer it.
    """
    here = [str(settings.BASE_DIR), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, here))
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    os.execv(sys.executable, [sys.executable, "-m", "omni.processes.up", plan.to_json()])


def _children(options: dict):
    """What to start; a command that does not exist in this installation is left out, and so are
    listeners when no provider listens.
    """
    if not options["no_web"]:
        yield Child("web", [
            sys.executable, "-m", "granian", "--interface", "asgi", "--ws", "--workers", "1",
            "--host", settings.OMNI_HOST, "--port", str(settings.OMNI_PORT),
            "--workers-kill-timeout", "15", "--log-level", "warning", "omni.asgi:application"])
    if not options["no_workers"] and "omni_worker" in get_commands():
        yield Child("worker", [sys.executable, MANAGE, "omni_worker"])
    providers = library.listening_providers()
    if not options["no_listeners"] and providers and "listen" in get_commands():
        yield Child("listeners", [sys.executable, "-m", "events.door.first_listener", MANAGE,
                                  *providers], {"OMNI_DATA_DIR": str(settings.OMNI_DATA_DIR)})
    if options["demo"] and "demo" in get_commands():
        yield Child("demo", [sys.executable, MANAGE, "demo"], once=True)


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


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise ArgumentTypeError(f"must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) >= 1):
        raise ArgumentTypeError(f"must be 1 or more, not {text!r}")
    return int(text)
