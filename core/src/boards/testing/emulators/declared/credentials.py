"""Whether a request has the credentials that a spec's ``auth`` sends."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable

from boards.spec.model import Auth
from boards.testing.emulators.declared.asked import Asked


def accepted(
    auth: Auth | None, asked: Asked, accepts: Callable[[str | None], bool], key: str
) -> bool:
    """Whether a request may pass.

    Args:
        auth: What the spec says; None and ``none`` let everything pass.
        asked: The request.
        accepts: Whether a credential is the right one.
        key: What signs a token of ``jwt_hs256``.
    """
    if auth is None or auth.kind == "none":
        return True
    header = asked.headers.get("authorization", "")
    match auth.kind:
        case "query":
            value = asked.query.get(auth.name or "key")
            return isinstance(value, str) and accepts(value)
        case "header":
            sent = asked.headers.get((auth.name or "authorization").lower(), "")
            return sent.startswith(auth.prefix) and accepts(sent.removeprefix(auth.prefix))
        case "basic":
            return header.startswith("Basic ") and accepts(_decoded(header.removeprefix("Basic ")))
        case "jwt_hs256":
            return header.startswith("Bearer ") and _is_signed(header.removeprefix("Bearer "), key)
    return header.startswith("Bearer ") and accepts(header.removeprefix("Bearer "))


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _is_signed(token: str, key: str) -> bool:
    """Whether a JSON Web Token is signed with a key (HS256) and in its time."""
    parts = token.split(".")
    if len(parts) != 3:  # RFC 7519
        return False
    wanted = hmac.digest(key.encode(), f"{parts[0]}.{parts[1]}".encode(), hashlib.sha256)
    try:
        head, claims, signature = (base64.urlsafe_b64decode(f"{one}==") for one in parts)
        now = time.time()
        valid = json.loads(claims)
        fresh = float(valid.get("nbf", 0)) <= now < float(valid["exp"])
        return (
            fresh and json.loads(head)["alg"] == "HS256" and hmac.compare_digest(wanted, signature)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
