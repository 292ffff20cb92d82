"""`manage.py archive export|import`: the exact bodies as JSON lines, out of one store into another.

Exit codes: 0 done, 1 some lines could not be imported, 2 wrong arguments.
"""

import os
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError

from events.door import archive_import
from events.store import archive, raw_selection
from omni import audit


class Command(BaseCommand):
    help = "Write archived deliveries to a file of JSON lines, or read such a file in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        out = verbs.add_parser("export", help="write archived deliveries")
        raw_selection.add_arguments(out)
        out.add_argument("--out", metavar="FILE", default="-", help="- is the terminal")
        into = verbs.add_parser("import", help="store exported deliveries and their events")
        into.add_argument("file", metavar="FILE", help="- reads what is piped in")
        into.add_argument("--dry-run", action="store_true", help="store nothing, only tell")
        into.add_argument("--route", action="store_true",
                          help="let workflows of the new events run, and send")

    def handle(self, *, verb: str, **options: Any) -> None:
        if verb == "export":
            self._export(options)
        else:
            self._import(options)

    def _export(self, options: dict[str, Any]) -> None:
        rows = raw_selection.one_by_one(raw_selection.selected(options))
        if options["out"] == "-":
            count = archive.export(rows, self.stdout)
        else:
            with _written(Path(options["out"])) as stream:
                count = archive.export(rows, stream)
        self.stderr.write(f"{count} deliveries exported")

    def _import(self, options: dict[str, Any]) -> None:
        counts: Counter[str] = Counter()
        with _read(options["file"]) as stream:
            for one in archive_import.load(stream, dry_run=options["dry_run"],
                                           route=options["route"]):
                counts[one.state] += 1
                if one.error:
                    self.stderr.write(f"line {one.line}: {one.error}")
        sums = {name: counts[name] for name in ("new", "duplicate", "dead_letter", "bad")}
        if not options["dry_run"]:
            audit.note("command:archive", "deliveries.imported", route=options["route"], **sums)
        self.stdout.write(", ".join(f"{name} {count}" for name, count in sums.items())
                          + (" (dry run: nothing was stored)" if options["dry_run"] else ""))
        if counts["bad"]:
            sys.exit(1)


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A file for its owner only, which appears under its name when it is complete."""
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            yield stream
        part.replace(path)
    except OSError as exc:
        raise CommandError(f"{path} cannot be written: {exc.strerror}") from exc


@contextmanager
def _read(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    try:
        with open(name, encoding="utf-8", errors="replace", newline="\n") as stream:
            yield stream
    except OSError as exc:
        raise CommandError(f"{name} cannot be read: {exc.strerror}", returncode=2) from exc
