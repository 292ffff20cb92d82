"""Standard Webhooks signatures agree with the reference library and fail closed."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from connections import standard_webhooks as standard
from omni.errors import SignatureMismatch

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes....").decode()
OTHER = "whsec_" + base64.b64encode(b"another one of 24 bytes.").decode()
NOW = datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)
STAMP = int(NOW.timestamp())
BODY = '{"text":"ol\u00e1"}'.encode()


def signed(body: bytes = BODY, *, secret: str = SECRET, timestamp: str = str(STAMP),
           message_id: str = "msg_1") -> dict[str, str]:
    signature = Webhook(secret).sign(
        message_id, datetime.fromtimestamp(int(timestamp), UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": timestamp,
            "webhook-signature": signature}


def check(headers: dict[str, str], *, secrets=(SECRET,), now: datetime = NOW,
          body: bytes = BODY) -> str:
    return standard.verify(body, headers, secrets=secrets, now=now)


def test_a_signature_of_the_reference_library_is_proof():
    assert check(signed()) == "standard-webhooks key 1"


def test_our_signature_satisfies_the_reference_library():
    now = datetime.now(UTC)
    stamp = int(now.timestamp())

    signature = standard.sign(BODY, message_id="omni_1", timestamp=stamp, secret=SECRET)

    Webhook(SECRET).verify(BODY, {"webhook-id": "omni_1", "webhook-timestamp": str(stamp),
                                  "webhook-signature": signature})


def test_the_published_example_has_the_published_signature():
    signature = standard.sign(
        b'{"test": 2432232314}', message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330,
        secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_older_secret_still_proves_and_is_named():
    assert check(signed(secret=OTHER), secrets=(SECRET, OTHER)) == "standard-webhooks key 2"


def test_one_fitting_signature_of_a_list_is_enough():
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA v9,x junk " + headers["webhook-signature"]

    assert check(headers) == "standard-webhooks key 1"


def test_svix_header_names_are_understood():
    headers = {name.replace("webhook-", "svix-"): value for name, value in signed().items()}

    assert check(headers) == "standard-webhooks key 1"


def test_an_ed25519_signature_is_proof_for_a_public_key():
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = private.sign(f"msg_1.{STAMP}.".encode() + BODY)
    headers = {**signed(), "webhook-signature": "v1a," + base64.b64encode(signature).decode()}
    secret = "whpk_" + base64.b64encode(public).decode()

    assert check(headers, secrets=(secret,)) == "standard-webhooks key 1"
    with pytest.raises(SignatureMismatch):
        check(headers, secrets=(secret,), body=BODY + b" ")


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_of_difference_are_allowed_both_ways(seconds):
    assert check(signed(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_more_than_five_minutes_are_refused(seconds):
    with pytest.raises(SignatureMismatch, match="300 s"):
        check(signed(), now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("timestamp", [
    "nan", "1_780_000_000", "\u0661\u0667\u0668", f"{STAMP}000", f" {STAMP}", f"+{STAMP}",
    f"{STAMP}.0", "-1", f"{STAMP}\n"])
def test_only_plain_digits_are_a_timestamp(timestamp):
    with pytest.raises(SignatureMismatch):
        check({**signed(), "webhook-timestamp": timestamp})


@pytest.mark.parametrize("signature", [
    "v1", "v1,", "v2,AAAA", "v1,not base64!", "v1a,AAAA", "v1,AA AA"])
def test_other_signatures_are_no_proof(signature):
    with pytest.raises(SignatureMismatch):
        check({**signed(), "webhook-signature": signature})


def test_base64_with_foreign_characters_is_no_proof():
    headers = signed()
    version, encoded = headers["webhook-signature"].split(",")
    headers["webhook-signature"] = f"{version},!{encoded}"

    with pytest.raises(SignatureMismatch):
        check(headers)


def test_more_than_ten_signatures_are_refused_even_with_a_good_one():
    headers = signed()
    headers["webhook-signature"] = " ".join([headers["webhook-signature"]] * 11)

    with pytest.raises(SignatureMismatch, match="more than 10"):
        check(headers)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_every_header_is_needed(missing):
    with pytest.raises(SignatureMismatch, match=missing):
        check({**signed(), missing: ""})


@pytest.mark.parametrize("secrets", [(), ("whsec_",), ("whsec_***",), ("whpk_AAAA",)])
def test_without_a_usable_secret_nothing_is_proven(secrets):
    headers = signed()
    headers["webhook-signature"] += " v1a,AAAA"

    with pytest.raises(SignatureMismatch):
        check(headers, secrets=secrets)


def test_another_body_is_refused():
    with pytest.raises(SignatureMismatch):
        check(signed(), body=BODY + b"\n")
