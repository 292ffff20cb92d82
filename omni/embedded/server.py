"""PostgreSQL without installing it: the programs of a wheel, run on a folder, watched by us.

The server is a foreground child that listens on a unix socket only. Who may enter the socket's
folder is trusted; nobody else can reach it. Windows is not supported. Knows no Django.
"""

import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import psycopg
from psycopg import pq

from omni.embedded.binaries import Account, Programs, find_programs, server_account
from omni.embedded.places import choose_home, give, prepare_socket, socket_url
from omni.errors import InvalidInput, Unavailable
from omni.processes.children import die_with_parent

logger = logging.getLogger("omni.embedded.server")

START_SECONDS = 30.0  # until it answers at all
RECOVERY_SECONDS = 900.0  # while it answers "starting up" after a crash
LEFTOVER_SECONDS = 20.0  # for the last processes of a killed server to end
LOG_BYTES = 5 * 1024 ** 2
SYSTEM_LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"

OPTIONS = {
    "listen_addresses": "",
    "port": "5432",  # only names the socket file; said here, because PGPORT would change it
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "shared_buffers": "128MB",  # once touched it stays; the system caches what is beyond it
    "max_wal_size": "2GB",
    "jit": "off",  # our statements are short; compiling them takes longer than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # the details of an error quote the data
    "log_min_error_statement": "panic",
}


class EmbeddedPostgres:
    """One server on one data folder.

    options: PostgreSQL settings that win over OPTIONS.
    Use as a context manager, or `start()` and `stop()` from the main thread; both may be repeated.
    """

    def __init__(self, data_dir: Path | str, *, options: dict[str, str] | None = None) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.options = {**OPTIONS, **(options or {})}
        self.log_path = self.data_dir / "postgres.log"
        self._process: subprocess.Popen | None = None
        self._claim: int | None = None
        self._socket: Path | None = None
        self._log_start = 0  # bytes of the log before the present start

    def __enter__(self) -> "EmbeddedPostgres":
        self.start()
        return self

    def __exit__(self, *_exc) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start, creating the database if there is none, and return the DATABASE_URL.

        Raises Unavailable (`database_in_use`, `database_start`), InvalidInput
        (`database_version`, `database_owner`, `database_folder`) or NotConfigured.
        """
        if self.is_alive():
            self._wait_until_ready()
            return socket_url(self.data_dir)
        self._end(timeout=0)
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.claim()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return socket_url(self.data_dir)

    def _start(self) -> None:
        home = choose_home(self.data_dir, server_account(self.data_dir / "postgres"))
        account = server_account(home / "postgres")
        if home != self.data_dir:
            logger.warning("The database is outside the data folder: the account that runs "
                           "PostgreSQL for root cannot enter it.", extra={"folder": str(home)})
        database = home / "postgres"
        programs = find_programs(account, home=home, wanted=_written_by(database))
        if not database.exists():
            self._create(database, programs, account)
        self._socket = prepare_socket(self.data_dir, account, home=home)
        self._launch(database, programs, account)
        self._wait_until_ready()
        with psycopg.connect(host=str(self._socket), port=5432, user="omni",
                             dbname="postgres", autocommit=True) as connection:
            if not connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = 'omni'").fetchone():
                connection.execute("CREATE DATABASE omni")

    def stop(self, timeout: float = 20.0) -> None:
        """Fast shutdown; after `timeout` seconds an immediate one, then an end by force."""
        self._end(timeout=timeout)
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None

    def _end(self, *, timeout: float) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for number, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 5.0),
                                (signal.SIGKILL, 5.0)):
            if process.poll() is None:
                process.send_signal(number)
                _ended(process, seconds)

    def has_ended(self) -> bool:
        """Whether our own child is gone; cheap, and says nothing about a server that hangs."""
        return self._process is None or self._process.poll() is not None

    def is_alive(self) -> bool:
        """Whether our server answers, be it that it is still starting; found by connecting."""
        return not self.has_ended() and self._ping() in (pq.Ping.OK, pq.Ping.REJECT)

    def _ping(self) -> pq.Ping:
        folder = str(self._socket).replace("\\", "\\\\").replace("'", "\\'")
        return pq.Ping(pq.PGconn.ping(f"host='{folder}' port=5432 dbname=postgres user=omni "
                                      "connect_timeout=3".encode()))

    def claim(self) -> None:
        """Take the folder for this object; released by `stop` and by the end of our process."""
        if self._claim is not None:
            return
        try:
            claim = os.open(self.data_dir / "postgres.claim", os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError as exc:
            raise InvalidInput(
                f"This user may not write to {self.data_dir}. Run as its owner, or set "
                "OMNI_DATA_DIR to another folder.", code="database_owner") from exc
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(claim)
            raise Unavailable(
                f"The data folder {self.data_dir} is in use by another `manage.py up`. Stop that "
                "one, or set OMNI_DATA_DIR to another folder.", code="database_in_use") from exc
        self._claim = claim

    def _create(self, database: Path, programs: Programs, account: Account) -> None:
        unfinished = database.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give(unfinished, account)
        command = [programs.path("initdb"), "-D", str(unfinished), "-U", "omni",
                   "--encoding=UTF8", f"--locale={SYSTEM_LOCALE}", "--auth-local=trust",
                   "--auth-host=reject", "--no-instructions"]
        if programs.major >= 17:  # the same order and case rules on every machine
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.options["fsync"] == "off":
            command.append("--no-sync")
        done = subprocess.run(command, cwd="/", env=_environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              **account.spawn_options())
        if done.returncode:
            raise Unavailable(f"initdb failed in {database}: {done.stdout[-800:].strip()}",
                              code="database_start")
        unfinished.rename(database)

    def _launch(self, database: Path, programs: Programs, account: Account) -> None:
        """Start the server holding a lock, which so ends with the last of its processes."""
        lock = self._lock_of_server(database)
        settings = {**self.options, "unix_socket_directories": str(self._socket)}
        command = [programs.path("postgres"), "-D", str(database)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._open_log() as log:
            self._process = subprocess.Popen(
                command, cwd="/", env=_environment(), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, pass_fds=[lock],
                preexec_fn=die_with_parent(signal.SIGINT), **account.spawn_options())
        os.close(lock)

    def _lock_of_server(self, database: Path) -> int:
        lock = os.open(database.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        deadline = monotonic() + LEFTOVER_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError as exc:
                if monotonic() > deadline:
                    os.close(lock)
                    raise Unavailable(
                        f"Processes of an earlier PostgreSQL still use {database}. Wait for them "
                        f"or end them (`fuser {database.with_suffix('.lock')}` names them).",
                        code="database_in_use") from exc
            sleep(0.05)

    def _open_log(self):
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        handle = os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._log_start = os.fstat(handle).st_size
        return os.fdopen(handle, "ab")

    def _wait_until_ready(self) -> None:
        begun = monotonic()
        while (answer := self._ping()) != pq.Ping.OK:
            limit = RECOVERY_SECONDS if answer == pq.Ping.REJECT else START_SECONDS
            if (self._process is None or _ended(self._process, 0.03)
                    or monotonic() - begun > limit):
                with self.log_path.open("rb") as log:
                    log.seek(self._log_start)
                    said = log.read()[-1500:].decode(errors="replace").strip()
                raise Unavailable(f"PostgreSQL did not start: {said or 'it said nothing'} "
                                  f"(see {self.log_path})", code="database_start")


def _environment() -> dict[str, str]:
    """The server's environment: none of our secrets, none of the PG* variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def _written_by(database: Path) -> int | None:
    """The major version in a database folder, None for a folder that is not there yet."""
    if not database.exists():
        return None
    return int((database / "PG_VERSION").read_text().split(".")[0])


def _ended(process: subprocess.Popen, seconds: float) -> bool:
    """Whether the process ends within `seconds`."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
