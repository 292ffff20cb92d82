import json

import pytest
from django.core.management import call_command
from django.db import connection

from omni.management.commands import doctor


@pytest.fixture
def answered(db, capsys):
    """Run the doctor and return its findings by name, with its exit code."""
    def run():
        code = 0
        try:
            call_command("doctor", "--json")
        except SystemExit as end:
            code = end.code
        report = json.loads(capsys.readouterr().out)
        return {check["name"]: check for check in report["checks"]}, report["ok"], code
    return run


def test_wrong_finding_fails_the_command(answered, settings):
    settings.OMNI_ENCRYPTION_KEYS = []

    findings, fine, code = answered()

    assert findings["encryption"]["status"] == "wrong"
    assert (fine, code) == (False, 1)


def test_database_that_may_forget_is_wrong(db):
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")

        finding = doctor.check_durability()

    assert finding.status == "wrong" and "synchronous_commit" in finding.text


def test_applied_migrations_are_fine(db):
    assert doctor.check_migrations().status == "ok"


def test_spool_that_cannot_be_written_is_wrong(tmp_path):
    (tmp_path / "file").touch()

    finding = doctor.check_folder("spool", str(tmp_path / "file" / "below"))

    assert finding.status == "wrong"


@pytest.mark.parametrize(("allowed", "status"), [
    (True, "note"), (False, "ok"), (("127.0.0.0/8",), "ok")])
def test_private_addresses_are_a_choice_to_know_of(settings, allowed, status):
    settings.OMNI_ALLOW_PRIVATE_ADDRESSES = allowed

    assert doctor.check_private_addresses().status == status


def test_worker_is_found_by_its_connection(db):
    with connection.cursor() as cursor:
        cursor.execute("SET application_name = 'omni-worker'")

        assert doctor.check_workers().status == "ok"


def test_missing_workers_are_wrong(db):
    assert doctor.check_workers().status == "wrong"
