"""Signatures of webhooks: the vectors of their sources, and all ways to be wrong."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.engine.rest import jwt_hs256
from boards.engine.signatures import fal_ed25519, hmac_sha256, standard_webhooks
from boards.engine.webhooks import Replays
from boards.errors import WebhookError

# Replicate's Python client has this vector in its tests.
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# Made with the private key whose seed is the bytes 0 to 31.
FAL = {
    "x-fal-webhook-request-id": "80e732af-660e-45cd-bd63-580e4f2a94cc",
    "x-fal-webhook-user-id": "user-1",
    "x-fal-webhook-timestamp": "1703769600",
    "x-fal-webhook-signature": (
        "2cce8b12e23775c94ef7d4ee1ae28b2316fb98bb50523b2cf59ff790497ee386"
        "fde20de116eca6cfcdb5b93eba6f72d0552749e0e46ad99bd655217f5e993409"
    ),
}
FAL_BODY = (
    b'{"request_id":"80e732af-660e-45cd-bd63-580e4f2a94cc",'
    b'"gateway_request_id":"80e732af-660e-45cd-bd63-580e4f2a94cc",'
    b'"status":"OK","payload":{"seed":1}}'
)
FAL_KEYS = json.dumps(
    {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "other"},
            {"kty": "OKP", "crv": "Ed25519", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"},
        ]
    }
)


def test_standard_webhooks_of_their_source_verify() -> None:
    """And name the message, by which a replay is known."""
    verified = standard_webhooks(
        STANDARD, STANDARD_BODY, STANDARD_SECRET, now=1614265330, tolerance=300
    )
    assert verified == "msg_p5jXN8AQM9LWM0D4loKWxJek"


@given(flip=st.integers(0, len(STANDARD_BODY) - 1), bit=st.integers(0, 7))
def test_a_body_with_one_bit_changed_does_not_verify(flip: int, bit: int) -> None:
    """Whichever bit."""
    body = bytearray(STANDARD_BODY)
    body[flip] ^= 1 << bit
    with pytest.raises(WebhookError, match="wrong"):
        standard_webhooks(STANDARD, bytes(body), STANDARD_SECRET, now=1614265330, tolerance=300)


@pytest.mark.parametrize("name", STANDARD)
def test_each_header_of_a_standard_webhook_counts(name: str) -> None:
    """Missing or changed, it does not verify."""
    with pytest.raises(WebhookError):
        standard_webhooks(
            {**STANDARD, name: ""}, STANDARD_BODY, STANDARD_SECRET, now=1614265330, tolerance=300
        )
    with pytest.raises(WebhookError):
        standard_webhooks(
            {**STANDARD, name: "v2,abc é"},
            STANDARD_BODY,
            STANDARD_SECRET,
            now=1614265330,
            tolerance=300,
        )


@pytest.mark.parametrize("age", [-301, 301, 10_000_000])
def test_an_old_or_future_webhook_does_not_verify(age: int) -> None:
    """A recorded call cannot be played back later."""
    with pytest.raises(WebhookError, match="ago"):
        standard_webhooks(
            STANDARD, STANDARD_BODY, STANDARD_SECRET, now=1614265330 + age, tolerance=300
        )


def test_fal_signatures_verify_with_any_of_the_keys() -> None:
    """A key that is none is passed over."""
    pytest.importorskip("cryptography")
    verified = fal_ed25519(FAL, FAL_BODY, FAL_KEYS, now=1703769600, tolerance=300)
    assert verified == "80e732af-660e-45cd-bd63-580e4f2a94cc.1703769600"


@pytest.mark.parametrize(
    ("headers", "body", "keys"),
    [
        ({}, FAL_BODY + b" ", FAL_KEYS),
        ({"x-fal-webhook-user-id": "user-2"}, FAL_BODY, FAL_KEYS),
        ({"x-fal-webhook-signature": "zz"}, FAL_BODY, FAL_KEYS),
        ({"x-fal-webhook-signature": "00" * 64}, FAL_BODY, FAL_KEYS),
        ({}, FAL_BODY, '{"keys": []}'),
        ({}, FAL_BODY, "<html>"),
        ({}, FAL_BODY, '{"keys": 5}'),
    ],
    ids=["body", "user", "no hex", "zeros", "no keys", "no JSON", "no list"],
)
def test_what_fal_did_not_sign_does_not_verify(
    headers: dict[str, str], body: bytes, keys: str
) -> None:
    """Another body, user, signature, or none of the keys."""
    pytest.importorskip("cryptography")
    with pytest.raises(WebhookError):
        fal_ed25519({**FAL, **headers}, body, keys, now=1703769600, tolerance=300)


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_a_header_with_an_hmac_verifies(encoding: str, prefix: str) -> None:
    """In either encoding, with a prefix or without; the prefix counts."""
    digest = hmac.new(b"key", b"body", hashlib.sha256).digest()
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()

    def verify(value: str) -> str:
        return hmac_sha256(
            {"x-signature": value}, b"body", "key",
            header="X-Signature", prefix=prefix, encoding=encoding,
        )  # fmt: skip

    assert verify(f"{prefix}{text}")
    for wrong in (f"{prefix}{text[:-2]}00", f"other={text}", "é", prefix or "x"):
        with pytest.raises(WebhookError):
            verify(wrong)


def test_a_replay_is_known_as_long_as_its_signature_would_be_believed() -> None:
    """And no longer than that."""
    replays = Replays()
    assert not replays.seen("one", 60)
    assert replays.seen("one", 60)
    assert not replays.seen("two", -1)
    assert not replays.seen("two", 60)


def test_a_jwt_is_that_of_the_standard() -> None:
    """The example of jwt.io: header, claims and signature."""
    token = jwt_hs256({"sub": "1234567890", "name": "John Doe", "iat": 1516239022}, "secret")
    header, claims, signature = token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert claims == ("eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ")
    assert signature == "XbPfbIHMI6arZ3Y922BhjWgQzWXcXNrz0ogtVhfEd2o"
