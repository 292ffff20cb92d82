"""`manage.py rerun`: runs once more, with a look at what would happen again.

Exit codes: 0 done; 1 refused, because effects would happen again and nobody said yes; 2 wrong
arguments.
"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from omni.errors import InvalidInput
from registry.engine.starts import reruns
from registry.models import Run

ACTOR = "command:rerun"


class Command(BaseCommand):
    help = "Run workflows again: whole, from the step that failed, or chosen steps."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("runs", nargs="+", type=int, metavar="RUN")
        parser.add_argument("--mode", choices=reruns.MODES, default="whole")
        parser.add_argument("--steps", default="",
                            help="ids or paths, with commas; for --mode steps")
        parser.add_argument("--yes", action="store_true", help="do it, also when effects repeat")
        parser.add_argument("--dry-run", action="store_true", help="only show what would repeat")
        parser.add_argument("--json", action="store_true", dest="as_json",
                            help="one JSON object per line")

    def handle(self, *, runs: list[int], mode: str, steps: str, yes: bool, dry_run: bool,
               as_json: bool, **options: Any) -> None:
        chosen = [name.strip() for name in steps.split(",") if name.strip()]
        found = Run.objects.in_bulk(runs)
        if missing := [str(pk) for pk in runs if pk not in found]:
            raise CommandError(f"there is no run {', '.join(missing)}", returncode=2)
        try:
            plans = {pk: reruns.plan(found[pk], mode=mode, steps=chosen) for pk in runs}
            for pk, plan in plans.items():
                self._tell(pk, plan, as_json)
            if dry_run:
                return
            if any(plans.values()) and not yes and not self._agreed():
                self.stderr.write("Nothing was run again.")
                sys.exit(1)
            for pk in runs:
                fresh = reruns.rerun(found[pk], actor=ACTOR, mode=mode, steps=chosen)
                self._say({"run": pk, "again": fresh.pk}, f"run {pk} is repeated by run {fresh.pk}",
                          as_json)
        except InvalidInput as exc:
            raise CommandError(exc.message, returncode=2) from exc

    def _tell(self, pk: int, plan: list[reruns.Again], as_json: bool) -> None:
        lines = [f"run {pk}: " + (f"{len(plan)} effects would happen again" if plan
                                  else "no effect would happen again")]
        for one in plan:
            sent = ", ".join(f"{item['kind']} to {item['recipient']} ({item['state']})"
                             for item in one.sent)
            lines.append(f"  {one.step_id or one.path}  {one.action or one.effects}"
                         + (f"  sent before: {sent}" if sent else ""))
        self._say({"run": pk, "again": [one.as_dict() for one in plan]}, "\n".join(lines), as_json)

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            self.stderr.write("Effects would happen again; say --yes to do it.")
            return False
        return input("Run again? [y/N] ").strip().lower() in ("y", "yes")

    def _say(self, facts: dict[str, Any], text: str, as_json: bool) -> None:
        self.stdout.write(json.dumps(facts, ensure_ascii=False) if as_json else text)
