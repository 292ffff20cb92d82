"""`manage.py rotate_secrets`: stored secrets move to the first key of the ring."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from connections.models import Instance
from omni.audit import AuditEntry
from omni.management.commands import rotate_secrets
from omni.secrets import is_current
from tests.factories import make_instance

pytestmark = pytest.mark.django_db
OLD, NEW = "old-key-" * 4, "new-key-" * 4


@pytest.fixture(autouse=True)
def old_ring(settings):
    settings.OMNI_ENCRYPTION_KEYS = [OLD]


def rotate(*arguments, code=0):
    """(what it said, what it complained of)."""
    out, complaints = StringIO(), StringIO()
    try:
        call_command("rotate_secrets", *arguments, stdout=out, stderr=complaints)
        ended = 0
    except SystemExit as exc:
        ended = exc.code
    assert ended == code
    return out.getvalue(), complaints.getvalue()


def sealed(instance):
    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM omni_instances WHERE id = %s", [instance.pk])
        return cursor.fetchone()[0]


def make_secret(slug="shop"):
    return make_instance(slug, credentials={"token": f"canary of {slug}"})


def test_rotated_secret_opens_without_the_old_key(settings):
    shop = make_secret()
    settings.OMNI_ENCRYPTION_KEYS = [NEW, OLD]

    told, _ = rotate()

    settings.OMNI_ENCRYPTION_KEYS = [NEW]
    assert is_current(sealed(shop))
    assert Instance.objects.get().credentials == {"token": "canary of shop"}
    assert "omni_instances.credentials: 1 encrypted anew, 0 up to date" in told
    assert AuditEntry.objects.get().facts == {"rows": 1, "unreadable": 0}


def test_more_rows_than_a_batch_are_all_rotated(settings, monkeypatch):
    rows = [make_secret(f"shop-{number}") for number in range(5)]
    settings.OMNI_ENCRYPTION_KEYS = [NEW, OLD]
    monkeypatch.setattr(rotate_secrets, "BATCH", 2)

    rotate()

    assert all(is_current(sealed(row)) for row in rows)


def test_running_again_writes_nothing(settings):
    shop = make_secret()
    settings.OMNI_ENCRYPTION_KEYS = [NEW, OLD]
    rotate()
    before = sealed(shop)

    told, _ = rotate()

    assert sealed(shop) == before
    assert "0 encrypted anew, 1 up to date" in told
    assert AuditEntry.objects.count() == 1


def test_dry_run_counts_and_writes_nothing(settings):
    shop = make_secret()
    before = sealed(shop)
    settings.OMNI_ENCRYPTION_KEYS = [NEW, OLD]

    told, _ = rotate("--dry-run")

    assert sealed(shop) == before
    assert "1 to encrypt anew" in told
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("keys", [[NEW], [NEW, OLD]])
def test_row_no_key_opens_is_listed_and_left_alone(settings, keys):
    lost, kept = make_secret("lost"), make_secret("kept")
    if keys != [NEW]:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE omni_instances SET credentials = 'broken' WHERE id = %s",
                           [lost.pk])
    before = sealed(lost)
    settings.OMNI_ENCRYPTION_KEYS = keys

    told, complaints = rotate(code=1)

    assert sealed(lost) == before
    assert f"omni_instances.credentials, row {lost.pk}: " in complaints
    assert is_current(sealed(kept)) == (keys != [NEW])
    assert "canary" not in told + complaints


def test_every_encrypted_column_is_found():
    places = {f"{field.model._meta.db_table}.{field.column}"
              for field in rotate_secrets.encrypted_fields()}

    assert {"omni_instances.credentials", "omni_agents.credentials"} <= places
