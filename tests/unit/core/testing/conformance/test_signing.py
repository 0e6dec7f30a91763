"""Webhooks that the kit signs are those that the engine believes, and no others."""

import json
import time

import pytest

from boards.engine import signatures
from boards.errors import WebhookError
from boards.spec.model import SecretRequest, Verify
from boards.spec.paths import parse_path
from boards.testing.conformance.signing import Signer

BODY = b'{"id": "job-1", "status": "done"}'
FETCHED = SecretRequest(capture={"secret": parse_path("body.data.key")})


def test_standard_webhooks_verify() -> None:
    """With the secret as a person would copy it, and only as long as it is young."""
    signer = Signer(Verify(kind="standard_webhooks", secret_env="ACME_HOOK"))
    secret = signer.environment["ACME_HOOK"]
    now = time.time()
    headers = signer.headers(BODY)
    assert signatures.standard_webhooks(headers, BODY, secret, now=now, tolerance=300)
    for wrong in (signer.headers(BODY + b" "), signer.headers(BODY, age=600)):
        with pytest.raises(WebhookError):
            signatures.standard_webhooks(wrong, BODY, secret, now=now, tolerance=300)


@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_hmac_sha256_verifies(encoding: str) -> None:
    """In either encoding, behind its prefix."""
    how = Verify(
        kind="hmac_sha256", secret_env="K", header="X-Acme", prefix="v1=", encoding=encoding
    )
    signer = Signer(how)
    headers = {name.lower(): value for name, value in signer.headers(BODY).items()}
    assert headers["x-acme"].startswith("v1=")
    assert signatures.hmac_sha256(
        headers, BODY, signer.secret, header="X-Acme", prefix="v1=", encoding=encoding
    )
    assert not signer.timed


def test_fal_ed25519_verifies_with_the_keys_that_are_told() -> None:
    """The reply to the secret request has them where the spec looks."""
    signer = Signer(Verify(kind="fal_ed25519", secret_request=FETCHED))
    assert signer.told is not None
    keys = json.dumps(signer.told.json["data"]["key"])
    headers = signer.headers(BODY)
    assert signatures.fal_ed25519(headers, BODY, keys, now=time.time(), tolerance=300)
    other = Signer(Verify(kind="fal_ed25519", secret_request=FETCHED), b"another").headers(BODY)
    with pytest.raises(WebhookError):
        signatures.fal_ed25519(other, BODY, keys, now=time.time(), tolerance=300)
