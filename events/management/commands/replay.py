"""`manage.py replay`: archived deliveries through today's mapping again; a dry run unless asked.

Exit codes: 0 every body was understood, 1 some still fail, 2 wrong arguments.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DataError, IntegrityError

from events.models import RawPayload
from events.store import raw_selection
from events.store.replay import Replayed, replay
from omni import audit
from omni.errors import OmniError


class Command(BaseCommand):
    help = ("Map archived deliveries again and say what each becomes now. Nothing is stored "
            "without --for-real, and nothing is sent without --allow-effects.")

    def add_arguments(self, parser):
        parser.add_argument("--raw", metavar="ID", type=int, nargs="+", help="these deliveries")
        raw_selection.add_arguments(parser)
        parser.add_argument("--for-real", action="store_true",
                            help="store new and changed events")
        parser.add_argument("--allow-effects", action="store_true",
                            help="let workflows of the stored events run, and send")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, **options):
        if options["allow_effects"] and not options["for_real"]:
            raise CommandError("--allow-effects needs --for-real.", returncode=2)
        if not any(options[name] for name in ("raw", "instance", "since", "until",
                                              "dead_letters")):
            raise CommandError("Say which deliveries: --raw ID, --dead-letters, --instance, "
                               "--since or --until.", returncode=2)
        totals: Counter[str] = Counter()
        for line in _replayed(options):
            totals.update(_counts(line))
            self.stdout.write(json.dumps(line, ensure_ascii=False) if options["json"]
                              else _told(line))
        self._end(totals, options)

    def _end(self, totals: Counter[str], options: dict[str, Any]) -> None:
        sums = {name: totals[name] for name in ("deliveries", "new", "changed", "known",
                                                "stored", "errors")}
        if options["for_real"]:
            audit.note("command:replay", "deliveries.replayed",
                       allow_effects=options["allow_effects"], **sums)
        if options["json"]:
            self.stdout.write(json.dumps({"dry_run": not options["for_real"], **sums}))
        else:
            self.stdout.write(", ".join(f"{name} {count}" for name, count in sums.items()))
            if not options["for_real"]:
                self.stdout.write("Dry run: nothing was stored. Add --for-real to store.")
        if totals["errors"]:
            sys.exit(1)


def _replayed(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One line of facts per delivery."""
    rows = raw_selection.selected(options)
    if options["raw"]:
        rows = rows.filter(pk__in=options["raw"])
    missing = set(options["raw"] or ())
    for raw in raw_selection.one_by_one(rows):
        missing.discard(raw.pk)
        yield _line(raw, _attempt(raw, options))
    for number in sorted(missing):
        yield {"raw_id": number, "instance": None, "new": [], "changed": [], "known": [],
               "stored": [], "error": "not archived, or not among what was asked for"}


def _attempt(raw: RawPayload, options: dict[str, Any]) -> Replayed:
    """One delivery again; what cannot be replayed is an error of that line alone."""
    try:
        return replay(raw, dry_run=not options["for_real"],
                      allow_effects=options["allow_effects"])
    except OmniError as exc:
        return Replayed(error=f"{exc.code}: {exc.message}")
    except (DataError, IntegrityError, ValueError) as exc:
        return Replayed(error=f"store_error: {type(exc).__name__}: {exc}")


def _line(raw: RawPayload, result: Replayed) -> dict[str, Any]:
    line: dict[str, Any] = {"raw_id": raw.pk, "instance": raw.instance.slug, "new": [],
                            "changed": [], "known": [], "stored": result.stored,
                            "error": result.error or None}
    for draft in result.drafts:
        fate = ("new" if draft.dedup_key in result.new else
                "changed" if draft.dedup_key in result.changed else "known")
        line[fate].append({"event_type": draft.event_type, "dedup_key": draft.dedup_key})
    return line


def _counts(line: dict[str, Any]) -> dict[str, int]:
    return {"deliveries": 1, "errors": int(bool(line["error"])),
            **{name: len(line[name]) for name in ("new", "changed", "known", "stored")}}


def _told(line: dict[str, Any]) -> str:
    parts = [f"{fate} {', '.join(event['event_type'] for event in line[fate])}"
             for fate in ("new", "changed", "known") if line[fate]]
    if line["stored"]:
        parts.append(f"stored as {', '.join(map(str, line['stored']))}")
    if line["error"]:
        parts.append(f"error {line['error']}")
    return f"raw {line['raw_id']}  {line['instance'] or '-'}  {'; '.join(parts)}"
