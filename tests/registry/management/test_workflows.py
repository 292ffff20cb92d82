"""`manage.py workflows`: files, the database, and the one made equal to the other."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from omni.audit import AuditEntry
from registry.models import Binding, Workflow, WorkflowVersion
from registry.versions import drafts, publishing
from tests.factories import make_workflow, switch_on

ROOT = Path(__file__).resolve().parents[3]
TEXT = """\
# Greets people; the comment stays.
omni: 1
id: greet
trigger:
  - event: message.text   # any text
steps:
  - stop: done
"""
OTHER = TEXT.replace("id: greet", "id: other")
BROKEN = TEXT.replace("stop: done", "stop: dome")


def write(folder, **texts):
    for name, text in texts.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def run(*arguments):
    """(exit code, lines written)."""
    out = StringIO()
    try:
        call_command("workflows", *map(str, arguments), stdout=out, stderr=StringIO())
    except SystemExit as exc:
        return exc.code, out.getvalue().splitlines()
    except CommandError as exc:
        return exc.returncode, [str(exc)]
    return 0, out.getvalue().splitlines()


def run_json(*arguments):
    code, lines = run(*arguments, "--json")
    return code, [json.loads(line) for line in lines]


def test_check_names_file_line_and_column_of_every_problem_in_a_stable_order(tmp_path):
    write(tmp_path, b=BROKEN, a__z="id: [\n", a__b=OTHER)

    code, lines = run("check", tmp_path)

    assert code == 1
    assert lines == [
        f"{tmp_path}/a/z.yaml:1:5: this [ is never closed",
        f"{tmp_path}/b.yaml:7:11: stop: 'dome' is not one of done, ignored, failed; did you mean "
        "'done'?",
        "files 3, documents 3, errors 2, warnings 0"]


def test_check_needs_no_database(tmp_path):
    assert run("check", write(tmp_path, a=TEXT)) == (
        0, ["files 1, documents 1, errors 0, warnings 0"])


def test_warnings_alone_are_no_failure(tmp_path):
    text = TEXT.replace("- stop: done", "- uses: route.reply\n    with: {text: hi}")

    code, lines = run("check", write(tmp_path, a=text))

    assert code == 0
    assert lines[0] == (f"{tmp_path}/a.yaml:4:1: warning: this workflow sends without a claim: "
                        "another one may answer the same event; add 'claim: reply'")


@pytest.mark.parametrize("make", ["missing", "empty", "comments", "latin"])
def test_path_that_cannot_be_read_is_a_wrong_argument(tmp_path, make):
    path = tmp_path / "x"
    if make in ("empty", "comments"):
        path.mkdir()
    if make == "comments":
        (path / "a.yaml").write_text("# nothing\n---\n\n")
    if make == "latin":
        path.write_bytes(b"name: caf\xe9\n")

    code, [message] = run("check", path)

    assert code == 2 and str(path) in message


def test_wrong_arguments_end_with_code_2_in_a_shell(tmp_path):
    done = subprocess.run([sys.executable, "manage.py", "workflows", "chekc", tmp_path], cwd=ROOT,
                          env=os.environ, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2 and "chekc" in done.stderr


def test_signs_that_steer_a_terminal_are_not_shown(tmp_path):
    write(tmp_path, a=TEXT.replace("stop: done", '"st\\e[2Jop": done'))

    _, lines = run("check", tmp_path)

    assert "\x1b" not in "".join(lines) and "\ufffd" in "".join(lines)


db = pytest.mark.django_db


@db
def test_import_stores_and_publishes(tmp_path):
    code, lines = run("import", write(tmp_path, a=TEXT, b=OTHER))

    assert (code, lines[-1]) == (0, "create 2, update 0, unchanged 0, prune 0")
    assert lines[0] == f"create     greet  v1  {tmp_path}/a.yaml"
    assert {row.workflow.slug for row in WorkflowVersion.objects.all()} == {"greet", "other"}
    assert AuditEntry.objects.last().actor == "command:workflows"


@db
def test_drafts_may_have_errors_and_are_not_published(tmp_path):
    code, _ = run("import", "--draft", write(tmp_path, a=BROKEN))

    assert code == 0 and Workflow.objects.get().draft == BROKEN
    assert not WorkflowVersion.objects.exists()
    assert run("import", "--draft", tmp_path)[1][-1] == "create 0, update 0, unchanged 1, prune 0"


@db
@pytest.mark.parametrize("verb", [["import"], ["apply", "--prune"], ["import", "--draft"]])
def test_nothing_is_stored_when_one_document_is_wrong(tmp_path, verb):
    make_workflow(OTHER)
    bad = "omni: 1\nno: id\n" if "--draft" in verb else BROKEN

    code, lines = run(*verb, write(tmp_path, a=TEXT.replace("greet", "good"), b=bad))

    assert code == 1 and any(line.startswith(f"{tmp_path}/b.yaml:") for line in lines)
    assert [row.slug for row in Workflow.objects.filter(archived_at=None)] == ["other"]


@db
def test_export_writes_what_was_written_and_import_makes_no_new_version(tmp_path):
    odd = TEXT.replace("id: greet", "id: odd").replace("\n", "\r\n").rstrip()
    for text in (TEXT, odd):
        make_workflow(text)

    code, lines = run("export", "--to", tmp_path / "out")

    assert (code, lines[-1]) == (0, "exported 2")
    assert (tmp_path / "out/greet.yaml").read_bytes() == TEXT.encode()
    assert (tmp_path / "out/odd.yaml").read_bytes() == odd.encode()
    assert run("import", tmp_path / "out")[1][-1] == "create 0, update 0, unchanged 2, prune 0"
    assert run("diff", tmp_path / "out")[0] == 0
    assert WorkflowVersion.objects.count() == 2


@db
def test_export_of_named_ones_tells_of_a_newer_draft(tmp_path):
    make_workflow(TEXT)
    make_workflow(OTHER)
    drafts.save_draft(TEXT + "# more\n", actor="t")

    _, [told, sums] = run_json("export", "greet", "--to", tmp_path)

    assert told == {"workflow": "greet", "version": 1, "draft_differs": True,
                    "file": f"{tmp_path}/greet.yaml"}
    assert sums == {"exported": 1} and os.listdir(tmp_path) == ["greet.yaml"]


@db
def test_export_of_an_unknown_workflow_or_to_a_file_is_refused(tmp_path):
    make_workflow(TEXT)
    (tmp_path / "file").touch()

    assert run("export", "gret", "--to", tmp_path) == (
        2, ["there is no workflow 'gret'; did you mean 'greet'?"])
    assert run("export", "--to", tmp_path / "file")[0] == 2


@db
def test_diff_shows_what_would_change(tmp_path):
    make_workflow(TEXT)
    changed = TEXT.replace("stop: done", "stop: ignored")

    code, lines = run("diff", write(tmp_path, a=changed))

    assert code == 1
    assert lines[:2] == ["--- database: greet v1", f"+++ {tmp_path}/a.yaml:1"]
    assert "-  - stop: done" in lines and "+  - stop: ignored" in lines
    assert lines[-1] == "same 0, different 1"


@db
@pytest.mark.parametrize("state", ["new", "same", "draft", "unpublished", "archived"])
def test_diff_and_apply_agree_on_what_is_equal(tmp_path, state):
    if state == "unpublished":
        drafts.save_draft(TEXT, actor="t")
    elif state != "new":
        workflow = make_workflow(TEXT)
    if state == "draft":
        drafts.save_draft(TEXT + "# more\n", actor="t")
    if state == "archived":
        publishing.archive(workflow, actor="t")
    write(tmp_path, a=TEXT)

    code, [told, _] = run_json("diff", tmp_path)

    assert (told["state"], code) == (state, 0 if state == "same" else 1)
    _, [change, _] = run_json("apply", tmp_path)
    assert change["action"] == {"new": "create", "same": "unchanged"}.get(state, "update")
    assert run("diff", tmp_path)[0] == 0
    assert WorkflowVersion.objects.count() == 1


@db
def test_apply_makes_the_database_equal_to_the_files(tmp_path):
    make_workflow(TEXT)
    old = switch_on(TEXT.replace("greet", "old"))
    make_workflow(TEXT.replace("greet", "kept"))
    changed = TEXT + "# changed\n"
    write(tmp_path, a=changed, b=OTHER, c=TEXT.replace("greet", "kept"))

    code, changes = run_json("apply", "--prune", tmp_path)

    assert code == 0
    assert [(one["action"], one["workflow"], one["version"]) for one in changes[:-1]] == [
        ("update", "greet", 2), ("create", "other", 1), ("unchanged", "kept", 1),
        ("prune", "old", 1)]
    assert changes[-1] == {"dry_run": False, "create": 1, "update": 1, "unchanged": 1, "prune": 1}
    old.refresh_from_db()
    assert old.archived_at is not None and not Binding.objects.get().enabled
    assert run("apply", "--prune", tmp_path)[1][-1] == (
        "create 0, update 0, unchanged 3, prune 0")


@db
def test_apply_leaves_alone_what_is_in_no_file_unless_told(tmp_path):
    switch_on(OTHER)

    run("apply", write(tmp_path, a=TEXT))

    assert Workflow.objects.get(slug="other").archived_at is None
    assert Binding.objects.get().enabled


@db
def test_single_files_are_not_taken_for_all_there_is(tmp_path):
    make_workflow(OTHER)
    write(tmp_path, a=TEXT)

    code, [message] = run("apply", "--prune", tmp_path / "a.yaml")

    assert code == 2 and "takes folders" in message
    assert [row.slug for row in Workflow.objects.filter(archived_at=None)] == ["other"]


@db
def test_dry_run_stores_nothing(tmp_path):
    make_workflow(OTHER)

    code, lines = run("apply", "--prune", "--dry-run", write(tmp_path, a=TEXT))

    assert code == 0 and lines == [
        f"create     greet  -  {tmp_path}/a.yaml", "prune      other  v1",
        "create 1, update 0, unchanged 0, prune 1 (dry run: nothing was stored)"]
    assert [row.slug for row in Workflow.objects.filter(archived_at=None)] == ["other"]


@db
def test_pruned_workflow_that_comes_back_is_not_switched_on_by_that(tmp_path):
    switch_on(TEXT)
    run("apply", "--prune", write(tmp_path / "one", b=OTHER))

    run("apply", write(tmp_path / "two", a=TEXT))

    assert Workflow.objects.get(slug="greet").archived_at is None
    assert not Binding.objects.get().enabled
