"""`manage.py workflows check|import|export|diff|apply|test|backtest`: workflows as files, tried.

Exit codes: 0 done, also with warnings; 1 documents have errors, `diff` found a difference, or a
test failed; 2 wrong arguments, or a path that cannot be read or written.
"""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from connections.models import Instance
from connections.rest.missing import nothing
from omni.errors import InvalidInput, InvalidWorkflow
from registry.expressions.values import to_time
from registry.models import Workflow
from registry.trials import backtest, workflow_tests
from registry.versions import files
from registry.versions.files import Change, Difference, DocumentsRefused, FileDocument, Found

ACTOR = "command:workflows"


class Command(BaseCommand):
    help = "Check, import, export, compare, apply, test and back-test workflows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        checked = _with_paths(verbs.add_parser("check",
                                               help="every problem of the documents, by line"))
        checked.set_defaults(skip_checks=True)  # of the settings: it asks files only
        into = _with_paths(verbs.add_parser("import", help="store and publish the documents"))
        into.add_argument("--draft", action="store_true", help="store drafts, publish nothing")
        out = _with_json(verbs.add_parser("export", help="write each workflow to a file"))
        out.add_argument("slugs", nargs="*", metavar="SLUG", help="none: all that are in use")
        out.add_argument("--to", type=Path, required=True, metavar="DIR")
        _with_paths(verbs.add_parser("diff", help="how the documents differ from the database"))
        equal = _with_paths(verbs.add_parser("apply", help="make the database equal to the files"))
        equal.add_argument("--prune", action="store_true",
                           help="archive the workflows that are in no file")
        equal.add_argument("--dry-run", action="store_true", help="only show the plan")
        tried = _with_json(verbs.add_parser("test", help="run the tests of the documents"))
        tried.add_argument("names", nargs="+", metavar="PATH|SLUG",
                           help="a file, a folder, or a workflow whose draft is meant")
        past = _with_json(verbs.add_parser(
            "backtest", help="what a document would have done with stored events"))
        past.add_argument("name", metavar="PATH|SLUG")
        past.add_argument("--since", required=True, help="ISO time, or days back like 7d")
        past.add_argument("--until", default="0d", help="ISO time, or days back; now")
        past.add_argument("--instance", action="append", metavar="SLUG", help="none: all")
        past.add_argument("--most", type=int, default=backtest.MOST, help="events looked at")
        past.add_argument("--run", action="store_true", help="also try out the first runs")

    def handle(self, *, verb: str, **options: Any) -> None:
        self.as_json = options["as_json"]
        try:
            getattr(self, f"{verb}_files")(**options)
        except DocumentsRefused as exc:
            self.show_problems(exc.found)
            self.stderr.write("Nothing was stored: the documents have errors.")
            sys.exit(1)
        except InvalidInput as exc:
            raise CommandError(exc.message, returncode=2) from exc

    def check_files(self, *, paths: list[Path], **options: Any) -> None:
        documents = files.read(paths)
        found = files.check(documents)
        self.show_problems(found)
        errors = sum(one.is_error for one in found)
        self.sums({"files": len({one.file for one in documents}), "documents": len(documents),
                   "errors": errors, "warnings": len(found) - errors})
        if errors:
            sys.exit(1)

    def import_files(self, *, paths: list[Path], draft: bool, **options: Any) -> None:
        self.show_changes(files.apply(files.read(paths), actor=ACTOR, note="imported",
                                      drafts=draft))

    def apply_files(self, *, paths: list[Path], prune: bool, dry_run: bool,
                    **options: Any) -> None:
        if prune and (single := next((path for path in paths if not path.is_dir()), None)):
            raise InvalidInput("--prune archives what is in no file, so it takes folders; "
                               f"{single} is none")
        documents = files.read(paths)
        if dry_run:
            files.refuse_errors(documents)
            self.show_changes(files.plan(documents, prune=prune), dry_run=True)
        else:
            self.show_changes(files.apply(documents, actor=ACTOR, note="applied", prune=prune))

    def export_files(self, *, slugs: list[str], to: Path, **options: Any) -> None:
        count = 0
        for workflow, path in files.export(_workflows(slugs), to):
            latest, count = workflow.latest(), count + 1
            version = latest.number if latest else None
            newer = latest is not None and workflow.draft != latest.text
            self.say({"workflow": workflow.slug, "version": version, "draft_differs": newer,
                      "file": str(path)},
                     f"{workflow.slug}  {f'v{version}' if version else 'draft'}  {path}"
                     + ("  (its newer draft is not in it)" if newer else ""))
        self.sums({"exported": count})

    def diff_files(self, *, paths: list[Path], **options: Any) -> None:
        documents = files.read(paths)
        files.refuse_errors(documents, drafts=True)
        found = files.differences(documents)
        for one in found:
            self.say({"workflow": one.document.slug, "file": str(one.document.file),
                      "state": one.state, "diff": "\n".join(one.lines)}, _told(one))
        states = Counter(one.state for one in found)
        self.sums({"same": states.pop("same", 0), "different": states.total()})
        if states.total():
            sys.exit(1)

    def test_files(self, *, names: list[str], **options: Any) -> None:
        count = failed = 0
        for title, text in workflow_tests.documents(names):
            try:
                results = workflow_tests.run_tests(text)
            except InvalidWorkflow as exc:
                failed += 1
                self.say({"document": title, "passed": False,
                          "problems": [one.as_dict() for one in exc.problems]},
                         "\n  ".join([f"{title}: not tried, the document has errors",
                                      *map(str, exc.problems)]))
                continue
            count += len(results)
            for one in results:
                failed += not one.passed
                self.say({"document": title, **one.as_dict()}, "\n  ".join(
                    [f"{title}:{one.line}: {one.name}: {'ok' if one.passed else 'FAILED'}",
                     *map(str, one.failures)]))
        self.sums({"tests": count, "failed": failed})
        if failed:
            sys.exit(1)

    def backtest_files(self, *, name: str, since: str, until: str, instance: list[str] | None,
                       most: int, run: bool, **options: Any) -> None:
        texts = list(workflow_tests.documents([name]))
        if len(texts) != 1:
            raise InvalidInput(f"'{name}' holds {len(texts)} documents; give one")
        report = backtest.backtest(
            texts[0][1], since=_moment(since), until=_moment(until), most=most, run=run,
            instances=None if instance is None else _instances(instance))
        told = [f"{report.events} events, {report.matched} matched, {report.runs} runs"
                + ("; there were more" if report.truncated else ""),
                *(f"{number:6} not: {clause}"
                  for clause, number in report.not_matched.most_common()),
                *(f"{number:6} gates: {verdict}" for verdict, number in report.gates.items()),
                *(f"{number:6} trials: {state}" for state, number in report.trials.items())]
        if run:
            told.append(f"{report.sends:6} sends of {report.tried} trials")
        self.say(report.as_dict(), "\n  ".join(told))

    def show_problems(self, found: Sequence[Found]) -> None:
        for one in found:
            self.say(one.as_dict(), str(one))

    def show_changes(self, changes: Sequence[Change], *, dry_run: bool = False) -> None:
        for one in changes:
            version = f"v{one.version}" if one.version else "-"
            self.say(one.as_dict(), f"{one.action:<9}  {one.slug}  {version}"
                     + (f"  {one.file}" if one.file else ""))
        counts = Counter(one.action for one in changes)
        self.sums({name: counts[name] for name in ("create", "update", "unchanged", "prune")},
                  " (dry run: nothing was stored)" if dry_run else "", dry_run=dry_run)

    def sums(self, counts: dict[str, int], tail: str = "", **facts: Any) -> None:
        """The last line."""
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        self.say({**facts, **counts}, told + tail)

    def say(self, facts: dict[str, Any], text: str) -> None:
        """One line of facts, or what a person reads; without signs that steer the terminal."""
        if self.as_json:
            self.stdout.write(json.dumps(facts, ensure_ascii=False))
        elif text:
            self.stdout.write("".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd"
                                      for sign in text))


def _with_paths(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH",
                        help="a file, or a folder whose *.yaml files are meant, at any depth")
    return _with_json(parser)


def _with_json(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("--json", action="store_true", dest="as_json",
                        help="one JSON object per line")
    return parser


def _moment(text: str) -> datetime:
    """An ISO time, or days back from now (`7d`). Raises InvalidInput."""
    if text.endswith("d") and text[:-1].isascii() and text[:-1].isdigit():
        return timezone.now() - timedelta(days=min(int(text[:-1]), 36_500))
    moment = to_time(text)
    assert moment is not None
    return moment


def _instances(slugs: list[str]) -> list[Instance]:
    found = {instance.slug: instance for instance in Instance.objects.filter(slug__in=slugs)}
    if missing := [slug for slug in slugs if slug not in found]:
        raise InvalidInput("; ".join(nothing("instance", slug, Instance.objects.values_list(
            "slug", flat=True)) for slug in missing))
    return list(found.values())


def _workflows(slugs: list[str]) -> list[Workflow]:
    """The named ones, or all that are not archived. Raises InvalidInput that names the missing."""
    if not slugs:
        return list(Workflow.objects.filter(archived_at__isnull=True))
    found = {workflow.slug: workflow for workflow in Workflow.objects.filter(slug__in=slugs)}
    if missing := [slug for slug in slugs if slug not in found]:
        raise InvalidInput("; ".join(nothing("workflow", slug, Workflow.objects.values_list(
            "slug", flat=True)) for slug in missing))
    return [found[slug] for slug in dict.fromkeys(slugs)]


def _told(one: Difference) -> str:
    if one.state == "same":
        return ""
    if one.state == "unpublished":
        return f"{_place(one.document)}: '{one.document.slug}' is the same and not published"
    return "\n".join(one.lines) or f"{_place(one.document)}: '{one.document.slug}' is {one.state}"


def _place(document: FileDocument) -> str:
    return f"{document.file}:{document.lines[0]}"
