"""Settings and credentials of an instance."""

import pytest
from pydantic import ValidationError

from connections.providers.whatsapp_evolution.config import Credentials, Settings


@pytest.mark.parametrize(("field", "given", "kept"), [
    ("base_url", "https://evo.example.org/", "https://evo.example.org"),
    ("owner_jid", "+351911000001", "351911000001@s.whatsapp.net"),
    ("owner_jid", "1@s.whatsapp.net", "1@s.whatsapp.net"), ("own_lid", "2000", "2000@lid")])
def test_setting_is_brought_into_one_form(field, given, kept):
    assert getattr(Settings(**{field: given}), field) == kept


@pytest.mark.parametrize("wrong", [
    {"base_url": "evo.example.org"}, {"webhook_header": "bad header"}, {"timeout_seconds": 0},
    {"unknown": 1}])
def test_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_secrets_are_not_shown_by_a_print():
    shown = repr(Credentials(api_key="k-1", webhook_secret="s-1", jwt_key="j-1"))

    assert not [secret for secret in ("k-1", "s-1", "j-1") if secret in shown]
