"""Fields that are ciphertext at rest, and keys that are changed."""

import pytest
from django.db import connection

from connections.models import Instance
from omni import secrets
from omni.errors import NotConfigured
from tests.factories import make_instance

PLACE = "omni_instances.credentials"


def test_text_is_read_again_and_never_twice_the_same_ciphertext():
    first, second = (secrets.encrypt("café 😀", place=PLACE) for _ in range(2))

    assert first != second and "caf" not in first
    assert secrets.decrypt(first, place=PLACE) == secrets.decrypt(second, place=PLACE) == "café 😀"


def test_first_key_encrypts_and_every_key_opens(settings):
    settings.OMNI_ENCRYPTION_KEYS = ["old"]
    sealed = secrets.encrypt("s3cret", place=PLACE)

    settings.OMNI_ENCRYPTION_KEYS = ["new", "old"]

    assert secrets.decrypt(sealed, place=PLACE) == "s3cret"
    assert not secrets.is_current(sealed)
    assert secrets.is_current(secrets.encrypt("s3cret", place=PLACE))


def test_key_that_is_missing_is_named_with_the_way_out(settings):
    settings.OMNI_ENCRYPTION_KEYS = ["old"]
    sealed = secrets.encrypt("s3cret", place=PLACE)
    settings.OMNI_ENCRYPTION_KEYS = ["new"]

    with pytest.raises(NotConfigured) as refused:
        secrets.decrypt(sealed, place=PLACE)

    key_id = sealed.split(":")[1]
    assert refused.value.setting == "OMNI_ENCRYPTION_KEYS"
    assert key_id in refused.value.message and "put that key back" in refused.value.message
    assert "s3cret" not in refused.value.message


@pytest.mark.parametrize("change", [
    lambda sealed: sealed[:-6] + ("AAAAAA" if sealed[-6:] != "AAAAAA" else "BBBBBB"),
    lambda sealed: sealed.replace("v1:", "v1:", 1) + ""])
def test_ciphertext_of_another_place_or_that_was_changed_is_refused(change):
    sealed = change(secrets.encrypt("s3cret", place=PLACE))

    with pytest.raises(NotConfigured):
        secrets.decrypt(sealed, place="omni_agents.credentials")


@pytest.mark.parametrize("text", ["", "plain", "v1:a:b", "v1:::", "v1:a:b:c:d", "v1:a:!:!"])
def test_what_is_no_ciphertext_is_refused_by_name(text):
    with pytest.raises(NotConfigured, match="OMNI_ENCRYPTION_KEYS|no ciphertext"):
        secrets.decrypt(text, place=PLACE)


@pytest.mark.django_db
@pytest.mark.parametrize("value", [{}, {"token": "canary", "n": [1, None, "é"]}, [], "text", None])
def test_field_reads_what_it_wrote_with_its_types(value):
    field = Instance._meta.get_field("credentials")

    stored = field.get_prep_value(value)

    assert field.from_db_value(stored, None, connection) == value
    assert stored is None or "canary" not in stored


@pytest.mark.django_db
def test_credentials_are_ciphertext_in_the_database():
    make_instance(credentials={"token": "canary-token"})

    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM omni_instances")
        [(stored,)] = cursor.fetchall()

    assert "canary" not in stored and stored.startswith("v1:")
    assert Instance.objects.get().credentials == {"token": "canary-token"}


@pytest.mark.django_db
def test_credentials_are_no_part_of_a_dump():
    from django.core import serializers

    make_instance(credentials={"token": "canary-token"})

    assert "canary" not in serializers.serialize("json", Instance.objects.all())
