"""`manage.py doctor`: one line per thing that must be right, exit code 1 when one is not."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

OK, NOTE, WRONG = "ok", "note", "wrong"
PYTHON = ((3, 11), (3, 14))  # from, below
LEAST_FREE = 1024 ** 3  # bytes on the disk of the data folder


class Finding(NamedTuple):
    """What a check came to. status: ok, note (a choice to know of) or wrong."""

    name: str
    status: str
    text: str


class Command(BaseCommand):
    help = "Check this installation: one line per check, exit code 1 when something is wrong."
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options):
        findings = list(examine())
        fine = all(finding.status != WRONG for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps(
                {"ok": fine, "checks": [finding._asdict() for finding in findings]}))
        else:
            for name, status, text in findings:
                self.stdout.write(f"{status:<6} {name:<17} {text}")
        if not fine:
            sys.exit(1)


def examine() -> Iterator[Finding]:
    """Every finding, those that need the database only when it answers."""
    yield check_python()
    yield check_folder("data folder", str(settings.OMNI_DATA_DIR))
    yield check_disk()
    yield check_encryption()
    yield (check_folder("spool", settings.OMNI_SPOOL_DIR) if settings.OMNI_SPOOL_DIR
           else Finding("spool", NOTE, "off; while the database is away deliveries are answered "
                                       "503 (OMNI_SPOOL_DIR)"))
    yield check_private_addresses()
    yield check_model()
    reachable = check_database()
    yield reachable
    if reachable.status == OK:
        yield check_durability()
        yield check_migrations()
        yield check_workers()
        yield check_handles()
    connection.close()


def check_python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    low, high = PYTHON
    if low <= sys.version_info[:2] < high:
        return Finding("python", OK, found)
    return Finding("python", WRONG, f"{found}; Omni needs 3.11, 3.12 or 3.13")


def check_folder(name: str, folder: str) -> Finding:
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding(name, OK, f"{folder} is writable")
    except OSError as exc:
        return Finding(name, WRONG, f"{folder} cannot be written: {exc.strerror}")


def check_disk() -> Finding:
    folder = settings.OMNI_DATA_DIR.absolute()
    free = shutil.disk_usage(next(f for f in (folder, *folder.parents) if f.exists())).free
    text = f"{free / 1024 ** 3:.1f} GiB free"
    return Finding("disk", OK if free >= LEAST_FREE else WRONG, text)


def check_encryption() -> Finding:
    keys = len([key for key in settings.OMNI_ENCRYPTION_KEYS if key])
    if not keys:
        return Finding("encryption", WRONG, "no key; set OMNI_ENCRYPTION_KEYS")
    return Finding("encryption", OK, f"{keys} key{'s' if keys > 1 else ''}")


def check_private_addresses() -> Finding:
    allowed = settings.OMNI_ALLOW_PRIVATE_ADDRESSES
    if allowed is True:
        return Finding("private addresses", NOTE, "all allowed: workflows, and addresses in what "
                       "arrives, reach every host of this network. Name those that are meant: "
                       "OMNI_ALLOW_PRIVATE_ADDRESSES=127.0.0.0/8,evolution.local")
    if allowed:
        return Finding("private addresses", OK, f"only {', '.join(allowed)}")
    return Finding("private addresses", OK, "refused")


def check_model() -> Finding:
    if settings.OMNI_LLM_BASE_URL:
        return Finding("model", OK, settings.OMNI_LLM_MODEL or "the endpoint's default model")
    return Finding("model", NOTE, "no endpoint; built-in answers only (OMNI_LLM_BASE_URL)")


def check_database() -> Finding:
    try:
        [version] = _row("SELECT current_setting('server_version')")
    except DatabaseError as exc:
        return Finding("database", WRONG, f"does not answer ({' '.join(str(exc).split())}). Start "
                                          "`manage.py up`, or correct DATABASE_URL")
    return Finding("database", OK, f"PostgreSQL {version}")


def check_durability() -> Finding:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    values = _row("SELECT " + ", ".join(f"current_setting('{name}')" for name in names))
    off = [name for name, value in zip(names, values, strict=True) if value == "off"]
    if off:
        return Finding("durability", WRONG, f"{', '.join(off)} off: a power cut loses what was "
                                            "acknowledged")
    return Finding("durability", OK, f"{', '.join(names)} on")


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("migrations", WRONG, f"{len(missing)} not applied; run "
                                            "`manage.py migrate` or `manage.py up`")
    return Finding("migrations", OK, "all applied")


def check_workers() -> Finding:
    [connections] = _row("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                         "current_database() AND application_name = 'omni-worker'")
    if not connections:
        return Finding("workers", WRONG, "none connected; start `manage.py up` or "
                                         "`manage.py omni_worker`")
    return Finding("workers", OK, f"{connections} connections")


def check_handles() -> Finding:
    """A name an account knows with and without a scope would be two people of one."""
    try:
        [twice] = _row(
            "SELECT count(*) FROM (SELECT 1 FROM omni_handles h "
            "JOIN omni_handle_instances s ON s.handle_id = h.id "
            "GROUP BY h.people_group, h.provider, h.kind, h.value, s.instance_id "
            "HAVING bool_or(scope = '') AND bool_or(scope <> '') "
            "AND count(DISTINCT contact_id) > 1) AS found")
    except DatabaseError:
        return Finding("handles", NOTE, "no table yet; run `manage.py migrate`")
    if twice:
        return Finding("handles", WRONG, f"{twice} names lead to different contacts with and "
                                         "without a scope; merge those contacts in the admin")
    return Finding("handles", OK, "every name leads to one contact")


def _row(statement: str) -> tuple:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()
