"""Signatures of webhooks: pure functions over headers, the raw body and a secret.

Sources: the Standard Webhooks specification 1.0 (standardwebhooks.com), and fal's documentation of
its Ed25519 signatures.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from boards.errors import WebhookError

__all__ = ["fal_ed25519", "hmac_sha256", "standard_webhooks"]

_WHOLE: Final = re.compile(r"[0-9]{1,12}")


def standard_webhooks(
    headers: Mapping[str, str], body: bytes, secret: str, *, now: float, tolerance: float
) -> str:
    """Verify ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``.

    Args:
        headers: Names in lower case.
        body: As it came.
        secret: ``whsec_`` and base64.
        now: Unix seconds.
        tolerance: Seconds by which the timestamp may be off.

    Returns:
        The id of the message, by which a replay is known.

    Raises:
        WebhookError: It does not verify, or is too old.
    """
    message_id = _header(headers, "webhook-id")
    timestamp = _header(headers, "webhook-timestamp")
    given = _header(headers, "webhook-signature")
    _check_time(timestamp, now, tolerance)
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise WebhookError("The signing secret of the webhook is not whsec_ and base64.") from None
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    candidates = [one.partition(",") for one in given.split()]
    # Each is compared, so that the time tells nothing of which one it was.
    matched = [
        hmac.compare_digest(signature.encode("utf-8", "replace"), wanted)
        for version, _, signature in candidates
        if version == "v1"
    ]
    if not any(matched):
        raise WebhookError("The signature of the webhook is wrong.")
    return message_id


def hmac_sha256(
    headers: Mapping[str, str], body: bytes, secret: str, *, header: str, prefix: str, encoding: str
) -> str:
    """Verify one header that has the HMAC-SHA256 of the raw body.

    Args:
        headers: Names in lower case.
        body: As it came.
        secret: The key, as text.
        header: Which one.
        prefix: What stands before the signature, such as ``sha256=``.
        encoding: ``hex`` or ``base64``.

    Returns:
        The digest of the body, by which a replay is known.

    Raises:
        WebhookError: It does not verify.
    """
    given = _header(headers, header.lower())
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    wanted = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    signature = given.removeprefix(prefix)
    if encoding == "hex":
        signature = signature.lower()
    if (prefix and not given.startswith(prefix)) or not hmac.compare_digest(
        signature.encode("utf-8", "replace"), wanted.encode()
    ):
        raise WebhookError("The signature of the webhook is wrong.")
    return hashlib.sha256(body).hexdigest()


def fal_ed25519(
    headers: Mapping[str, str], body: bytes, keys: str, *, now: float, tolerance: float
) -> str:
    """Verify fal's ``x-fal-webhook-*`` headers with any of its public keys.

    Args:
        headers: Names in lower case.
        body: As it came.
        keys: A JSON Web Key Set, as text.
        now: Unix seconds.
        tolerance: Seconds by which the timestamp may be off.

    Returns:
        The request id and the timestamp, by which a replay is known.

    Raises:
        WebhookError: It does not verify, is too old, or ``cryptography`` is not installed.
    """
    names = ("request-id", "user-id", "timestamp")
    told = [_header(headers, f"x-fal-webhook-{name}") for name in names]
    signature = _header(headers, "x-fal-webhook-signature")
    _check_time(told[2], now, tolerance)
    message = "\n".join([*told, hashlib.sha256(body).hexdigest()]).encode()
    try:
        raw = bytes.fromhex(signature)
    except ValueError:
        raise WebhookError("The signature of the webhook is not hexadecimal.") from None
    if not any(_verifies(key, raw, message) for key in _public_keys(keys)):
        raise WebhookError("The signature of the webhook is wrong.")
    return f"{told[0]}.{told[2]}"


def _verifies(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )
    except ImportError as error:
        raise WebhookError(
            "Ed25519 signatures need the package cryptography.",
            remedy="pip install 'boards-core[webhooks]'",
        ) from error
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _public_keys(keys: str) -> Iterable[bytes]:
    try:
        found: Any = json.loads(keys)["keys"]
        texts = [one["x"] for one in found if isinstance(one, dict) and "x" in one]
        return [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in texts]
    except (ValueError, KeyError, TypeError):
        raise WebhookError("The public keys of the webhook are not a JSON Web Key Set.") from None


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookError(f"The webhook has no header {name}.")
    return value


def _check_time(timestamp: str, now: float, tolerance: float) -> None:
    if not _WHOLE.fullmatch(timestamp):
        raise WebhookError("The timestamp of the webhook is no number of seconds.")
    if abs(now - int(timestamp)) > tolerance:
        raise WebhookError(
            f"The webhook was signed {now - int(timestamp):.0f} s ago; at most {tolerance:g} s are"
            " allowed.",
            remedy="If the clock of this machine is wrong, set it.",
        )
