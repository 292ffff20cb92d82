"""The proof of the sender, with PyJWT as the signing side."""

import json
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from connections.adapter import Delivery
from connections.providers.whatsapp_evolution.adapter import WhatsAppEvolution
from omni.errors import SignatureMismatch

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
KEY = "a-key-of-at-least-thirty-two-bytes!!"
CLAIMS = {"iat": EPOCH, "exp": EPOCH + 600, "app": "evolution", "action": "webhook"}


@pytest.fixture
def verify(account):
    """The proof of a delivery with these headers."""

    def run(headers, *, credentials=None, **settings):
        delivery = Delivery(body=b"{}", headers=headers)
        return WhatsAppEvolution().verify(
            delivery, account(credentials=credentials, **settings), now=NOW)

    return run


def _bearer(claims, *, key=KEY, algorithm="HS256"):
    return {"authorization": f"Bearer {jwt.encode(claims, key, algorithm=algorithm)}"}


def test_secret_header_proves_the_sender(verify):
    proof = verify({"x-omni-secret": "s1"}, credentials={"webhook_secret": "s1"})

    assert proof == "header x-omni-secret (current)"


def test_header_may_have_another_name(verify):
    proof = verify({"x-sol": "sé"}, credentials={"webhook_secret": "sé"}, webhook_header="X-Sol")

    assert proof == "header x-sol (current)"


def test_previous_secret_still_proves(verify):
    proof = verify({"x-omni-secret": "old"}, credentials={
        "webhook_secret": "new", "webhook_secret_previous": "old"})

    assert proof == "header x-omni-secret (previous)"


@pytest.mark.parametrize("headers", [{}, {"x-omni-secret": ""}, {"x-omni-secret": "s"},
                                     {"x-omni-secret": "s1 "}, {"apikey": "s1"},
                                     {"x-omni-secret": "\udcff"}, {"x-omni-secret": "\ud800"}])
def test_missing_or_wrong_secret_is_refused(headers, verify):
    with pytest.raises(SignatureMismatch):
        verify(headers, credentials={"webhook_secret": "s1"})


def test_without_a_configured_secret_nobody_is_believed(verify):
    with pytest.raises(SignatureMismatch, match="no webhook_secret"):
        verify({"x-omni-secret": ""})


def test_unsigned_is_accepted_only_where_that_is_switched_on(verify):
    assert verify({}, allow_unsigned=True) == "none"


def test_switch_does_not_weaken_a_configured_secret(verify):
    with pytest.raises(SignatureMismatch):
        verify({}, allow_unsigned=True, credentials={"webhook_secret": "s1"})


def test_bearer_token_of_the_server_proves_the_sender(verify):
    assert verify(_bearer(CLAIMS), credentials={"jwt_key": KEY}) == "jwt (current)"


def test_token_of_the_previous_key_still_proves(verify):
    proof = verify(_bearer(CLAIMS), credentials={"jwt_key": "new" * 12, "jwt_key_previous": KEY})

    assert proof == "jwt (previous)"


def test_token_made_for_the_first_try_proves_a_late_retry(verify):
    claims = {**CLAIMS, "iat": EPOCH - 1150, "exp": EPOCH - 550}

    assert verify(_bearer(claims), credentials={"jwt_key": KEY}) == "jwt (current)"


@pytest.mark.parametrize("change", [
    {"exp": EPOCH - 601}, {"exp": EPOCH + 3601}, {"exp": None}, {"exp": "soon"}, {"exp": True},
    {"iat": None}, {"iat": EPOCH + 301}, {"app": "other"}, {"app": None}, {"action": "login"}])
def test_wrong_claims_are_refused(change, verify):
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    headers = {"authorization": f"Bearer {jwt.api_jws.encode(json.dumps(claims).encode(), KEY)}"}

    with pytest.raises(SignatureMismatch):
        verify(headers, credentials={"jwt_key": KEY})


def test_unsigned_token_is_refused(verify):
    with pytest.raises(SignatureMismatch, match="HS256"):
        verify(_bearer(CLAIMS, key=None, algorithm="none"), credentials={"jwt_key": KEY})


def test_token_of_another_algorithm_is_refused(verify):
    with pytest.raises(SignatureMismatch, match="HS256"):
        verify(_bearer(CLAIMS, key=KEY * 3, algorithm="HS512"), credentials={"jwt_key": KEY * 3})


def test_token_of_a_public_key_algorithm_is_refused(verify):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    with pytest.raises(SignatureMismatch, match="HS256"):
        verify(_bearer(CLAIMS, key=private, algorithm="RS256"), credentials={"jwt_key": KEY})


def test_token_signed_with_another_key_is_refused(verify):
    with pytest.raises(SignatureMismatch):
        verify(_bearer(CLAIMS, key="x" * 40), credentials={"jwt_key": KEY})


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "..", "e30.e30.",
                                   "W10.W10.AA", "x" * 5000])
def test_broken_token_is_refused(token, verify):
    with pytest.raises(SignatureMismatch):
        verify({"authorization": f"Bearer {token}"}, credentials={"jwt_key": KEY})
