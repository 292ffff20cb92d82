"""`manage.py rerun`, and the same over REST."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from actions.base import failed
from registry.models import Run
from tests.api_client import client_of, post_json
from tests.registry.runs import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(start, probe):
    probe.answers = [failed("no luck", code="odd")]
    return advance(start("- {id: send, uses: custom.send}"))


def rerun(*arguments):
    out = StringIO()
    call_command("rerun", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def test_effects_are_not_repeated_without_a_yes(broken):
    with pytest.raises(SystemExit) as ended:
        rerun(str(broken.pk))

    assert ended.value.code == 1 and Run.objects.count() == 1


def test_run_is_repeated_with_a_yes(broken):
    lines = rerun(str(broken.pk), "--yes", "--mode", "from_failed")

    fresh = Run.objects.get(rerun_of=broken)
    assert lines == [f"run {broken.pk}: 1 effects would happen again", "  send  custom.send",
                     f"run {broken.pk} is repeated by run {fresh.pk}"]


def test_dry_run_only_tells(broken):
    [line] = rerun(str(broken.pk), "--dry-run", "--json")

    assert json.loads(line)["again"][0]["step_id"] == "send" and Run.objects.count() == 1


@pytest.mark.parametrize(("arguments", "said"), [
    (["999999"], "there is no run 999999"),
    (["{run}", "--mode", "steps"], "name the steps"),
    (["{run}", "--mode", "steps", "--steps", "snd"], "did you mean 'send'")])
def test_wrong_arguments_are_told(broken, arguments, said):
    with pytest.raises(CommandError, match=said) as refused:
        rerun(*[item.format(run=broken.pk) for item in arguments])

    assert refused.value.returncode == 2


def test_preview_over_rest_does_nothing(broken):
    answer = post_json(client_of("send"), f"/api/v1/runs/{broken.pk}/rerun/",
                       {"mode": "from_failed", "preview": True})

    assert answer.status_code == 200 and answer.json()["again"][0]["effects"] == "send"
    assert Run.objects.count() == 1


@pytest.mark.parametrize("body", [{"mode": "again"}, {"mode": "steps", "steps": ["snd"]},
                                  {"modus": "whole"}])
def test_wrong_wish_over_rest_is_refused(broken, body):
    answer = post_json(client_of("send"), f"/api/v1/runs/{broken.pk}/rerun/", body)

    assert answer.status_code == 400 and Run.objects.count() == 1
