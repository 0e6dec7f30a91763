"""Webhooks signed as a provider signs them, by the scheme that a specification names.

Written from the schemes' own documents, and not from what verifies them: see
:mod:`boards.engine.signatures` for those.
"""

import base64
import hashlib
import hmac
import secrets
import time
from typing import Any, Final

from boards.spec.model import Verify
from boards.testing.conformance.proxy import Answer, answer
from boards.testing.conformance.rewriting import with_value

__all__ = ["Signer"]

_KEY: Final = b"the conformance kit signs with it"


class Signer:
    """Signs webhooks, and tells the host what verifies them.

    Args:
        verify: How the specification verifies.
        key: Another one makes signatures that do not verify.
    """

    def __init__(self, verify: Verify, key: bytes = _KEY) -> None:
        self._verify = verify
        self._key = hashlib.sha256(key).digest()

    @property
    def secret(self) -> str:
        """What a person copies from the provider's dashboard."""
        if self._verify.kind == "standard_webhooks":
            return f"whsec_{base64.b64encode(self._key).decode()}"
        return self._key.hex()

    @property
    def environment(self) -> dict[str, str]:
        """The secret in the variable that the specification names, if it names one."""
        name = self._verify.secret_env
        return {} if name is None else {name: self.secret}

    @property
    def told(self) -> Answer | None:
        """The reply to the request that fetches what verifies; None where there is none."""
        request = self._verify.secret_request
        if request is None:
            return None
        body: Any = {}
        for path in request.capture.values():
            body = with_value(body, path, self._keys if self._keyed else self.secret)
        return answer(200, body)

    @property
    def _keyed(self) -> bool:
        return self._verify.kind == "fal_ed25519"

    @property
    def _keys(self) -> dict[str, Any]:
        """A JSON Web Key Set (RFC 8037)."""
        public = self._private().public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(public).decode().rstrip("=")
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}

    def _private(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # an extra
            Ed25519PrivateKey,
        )

        return Ed25519PrivateKey.from_private_bytes(self._key)

    @property
    def timed(self) -> bool:
        """Whether a signature tells when it was made."""
        return self._verify.kind in ("standard_webhooks", "fal_ed25519")

    def headers(self, body: bytes, *, age: float = 0.0) -> dict[str, str]:
        """The headers of a call.

        Args:
            body: Its body.
            age: Seconds since it was signed.
        """
        when = str(int(time.time() - age))
        name = f"conformance-{secrets.token_hex(8)}"
        match self._verify.kind:
            case "standard_webhooks":
                digest = self._mac(f"{name}.{when}.".encode() + body)
                signature = base64.b64encode(digest).decode()
                signed = {"id": name, "timestamp": when, "signature": f"v1,{signature}"}
                return {f"webhook-{key}": value for key, value in signed.items()}
            case "fal_ed25519":
                text = "\n".join([name, "conformance", when, hashlib.sha256(body).hexdigest()])
                signed = {"request-id": name, "user-id": "conformance", "timestamp": when}
                signed["signature"] = self._private().sign(text.encode()).hex()
                return {f"x-fal-webhook-{key}": value for key, value in signed.items()}
            case "hmac_sha256":
                digest = self._mac(body, self.secret.encode())
                hexadecimal = self._verify.encoding == "hex"
                text = digest.hex() if hexadecimal else base64.b64encode(digest).decode()
                return {self._verify.header or "x-signature": f"{self._verify.prefix}{text}"}
        return {}

    def _mac(self, message: bytes, key: bytes | None = None) -> bytes:
        return hmac.new(key or self._key, message, hashlib.sha256).digest()
