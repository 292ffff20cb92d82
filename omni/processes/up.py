"""What `manage.py up` becomes when its options are settled: database, preparation, supervision.

Knows no Django, so that the process that only watches the others is a small one:
`python -m omni.processes.up PLAN`, PLAN being a `Plan` as JSON. Exit codes as of `manage.py up`.
"""

import json
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass

import psycopg

from omni.embedded.server import EmbeddedPostgres
from omni.errors import OmniError, Unavailable
from omni.processes.children import die_with_parent, end_group
from omni.processes.supervisor import Child, Supervisor
from omni.web.front import answers

PAGES = {"admin": "/admin/", "live": "/live/", "API": "/api/docs/", "health": "/healthz"}
PREPARATION_STOP_SECONDS = 10.0  # to roll back what it was at
ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Plan:
    """What to start. data_dir: of the embedded database, None with a database of its own.

    prepare: the command that makes the database ready and ends. web: whether a child answers at
    host and port. Every user of the machine can read it (`ps`): no secrets.
    """

    data_dir: str | None
    prepare: list[str]
    children: list[Child]
    web: bool
    host: str
    port: int
    public_url: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        facts = json.loads(text)
        return cls(**{**facts, "children": [Child(**child) for child in facts["children"]]})


def main(text: str) -> int:
    """Returns the exit code."""
    for number in ENDING:
        signal.signal(number, signal.default_int_handler)
    plan = Plan.from_json(text)
    database = EmbeddedPostgres(plan.data_dir) if plan.data_dir else None
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)  # `manage.py up` held them back
        return _run(plan, database)
    except KeyboardInterrupt:
        print("Stopped.", flush=True)
        return 0
    except (OmniError, psycopg.Error) as exc:
        print(f"CommandError: {exc}", file=sys.stderr, flush=True)
        return 1
    finally:
        if database is not None:
            database.stop()


def _run(plan: Plan, database: EmbeddedPostgres | None) -> int:
    if database is not None:
        print(f"Starting PostgreSQL in {plan.data_dir} ...", flush=True)
        database.start()
    if not _prepare(plan.prepare):
        return 1
    supervisor = Supervisor(plan.children, database=database, out=sys.stdout)
    if plan.web:
        supervisor.ready = lambda: _announce(plan, supervisor)
    supervisor.run()
    return 0


def _prepare(command: list[str]) -> bool:
    """Have the database prepared; False when that failed, and said why.

    It leads a group of its own, so that a Ctrl-C reaches it through us only.
    """
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True,
                             preexec_fn=die_with_parent(signal.SIGTERM))
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.terminate()
        try:
            child.wait(PREPARATION_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            end_group(child)
        raise
    if code < 0:
        raise Unavailable("Preparing the database was ended by "
                          f"{signal.Signals(-code).name}. Start again.", code="prepare")
    return code == 0


def _announce(plan: Plan, supervisor: Supervisor) -> bool:
    if not answers(plan.host, plan.port, "/healthz"):
        return False
    supervisor.say(f"Omni answers at {plan.public_url}")
    for name, path in PAGES.items():
        supervisor.say(f"  {name:<8}{plan.public_url}{path}")
    supervisor.say("Ctrl-C stops everything.")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
