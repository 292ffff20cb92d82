"""`manage.py audit_payloads PATH...`: what captured deliveries become; stores and sends nothing."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections.captures import files
from connections.captures.audit import Result, audit, coverage
from omni.errors import InvalidInput

FIRST_COLUMNS = ("file", "provider", "answer", "verified", "events")


class Command(BaseCommand):
    help = "Run captured deliveries through their adapter and show the events they become."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                            help="a body file, or a folder of them")
        parser.add_argument("--provider", default="", help="instead of the folder's name")
        parser.add_argument("--instance", type=Path, help="instead of the folder's _instance.json")
        parser.add_argument("--json", action="store_true", dest="as_json",
                            help="one object per line")

    def handle(self, *, paths: list[Path], provider: str, instance: Path | None,
               as_json: bool, **options: Any) -> None:
        try:
            given = files.read_object(instance) if instance else None
            results = list(audit(paths, provider=provider, instance=given))
        except InvalidInput as exc:
            raise CommandError(exc.message) from exc
        if not results:
            raise CommandError(f"no body files in {', '.join(map(str, paths))}")
        table = coverage(results)
        for line in _as_json(results, table) if as_json else _as_text(results, table):
            self.stdout.write(line)
        if table["failures"]:
            raise CommandError(f"{table['failures']} of {len(results)} deliveries failed")


def _as_json(results: list[Result], table: dict[str, Any]) -> list[str]:
    return [json.dumps(row, default=_plain)
            for row in (*(asdict(result) for result in results if result.state != "skipped"),
                        table)]


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _as_text(results: list[Result], table: dict[str, Any]) -> list[str]:
    rows = [FIRST_COLUMNS, *(_row(result) for result in results)]
    lines = [*_aligned(rows), ""]
    kinds = [(provider, kind, str(count)) for provider, found in table["coverage"].items()
             for kind, count in found.items()]
    lines += [*_aligned([("provider", "kind", "events"), *kinds]), ""]
    counts = ", ".join(f"{count} {name}" for name, count in table["counts"].items())
    return [*lines, f"{counts}, {table['unmapped']} unmapped, {table['failures']} failures"]


def _row(result: Result) -> tuple[str, ...]:
    kinds = ", ".join(event["event_type"] for event in result.events) or result.state
    notes = [*result.flags, *([result.error] if result.error else [])]
    seen = f"{kinds}  [{'; '.join(notes)}]" if notes else kinds
    verified = {True: "yes", False: "NO"}.get(result.verified, str(result.verified))
    status = str(result.answer.get("status") or "-")
    cells = (result.file, result.provider or "-", status, verified, seen)
    return tuple(_printable(cell) for cell in cells)


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows]


def _printable(text: str) -> str:
    """Without escape sequences that would steer the terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
