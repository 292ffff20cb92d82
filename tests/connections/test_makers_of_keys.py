"""Keys from before keys remembered their makers: the audit log says who made them."""

from importlib import import_module

import pytest
from django.apps import apps

from connections.access import ApiKey
from omni.audit import note

pytestmark = pytest.mark.django_db
fill_in = import_module("connections.migrations.0005_makers_of_earlier_api_keys").fill_in


def test_key_is_given_the_person_behind_it_also_through_another_key():
    first, second, seeded = (ApiKey.issue(name, scopes=["admin"])[0]
                             for name in ("first", "second", "seeded"))
    note("user:eve", "key.issued", first.public_id)
    note("key:first", "key.issued", second.public_id)

    fill_in(apps, None)

    assert dict(ApiKey.objects.values_list("name", "made_by")) == {
        "first": "user:eve", "second": "user:eve", "seeded": ""}
    assert seeded.made_by == ""
