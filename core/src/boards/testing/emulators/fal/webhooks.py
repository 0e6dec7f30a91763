"""fal's webhooks: bodies, ED25519 signatures, the key set, and repeated delivery.

Source: fal's page "Webhooks"; the signed text is the request id, the user
id, the unix seconds and the lowercase hex SHA-256 of the raw body, with line feeds in between.
"""

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
from attrs import define, field

USER_ID = "emulator-user"
FIRST_TIMEOUT = 15.0
"""Seconds that the first delivery may take, as fal documents it."""

RETRY_TIMEOUT = 120.0
RETRY_DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0, 120.0)
"""Seconds before each of the ten retries. fal spreads them over two hours."""


@define
class Signer:
    """Signs webhooks with an Ed25519 key.

    Attributes:
        seed: The private key, 32 bytes. By default a new one for each emulator, so that nobody
            comes to trust a key that is printed in a public repository.
    """

    seed: bytes = field(factory=lambda: os.urandom(32), repr=False)
    _key: Any = field(init=False, default=None, repr=False)

    @property
    def key(self) -> Any:
        """The private key. `cryptography` is imported here, at its first use."""
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
                Ed25519PrivateKey,
            )

            self._key = Ed25519PrivateKey.from_private_bytes(self.seed)
        return self._key

    def jwks(self) -> dict[str, Any]:
        """The public keys, as `/.well-known/jwks.json` answers them."""
        public = self.key.public_key().public_bytes_raw()
        x = base64.urlsafe_b64encode(public).rstrip(b"=").decode()
        kid = hashlib.sha256(public).hexdigest()[:16]
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid}]}

    def headers(
        self, body: bytes, *, request_id: str, user_id: str = USER_ID, timestamp: int | None = None
    ) -> dict[str, str]:
        """The four headers that sign a body; `timestamp` in unix seconds, now by default."""
        when = str(int(time.time()) if timestamp is None else timestamp)
        digest = hashlib.sha256(body).hexdigest()
        message = "\n".join((request_id, user_id, when, digest)).encode()
        return {
            "X-Fal-Webhook-Request-Id": request_id,
            "X-Fal-Webhook-User-Id": user_id,
            "X-Fal-Webhook-Timestamp": when,
            "X-Fal-Webhook-Signature": self.key.sign(message).hex(),
        }


async def deliver(
    session: aiohttp.ClientSession,
    signer: Signer,
    url: str,
    body: bytes,
    *,
    request_id: str,
    retry_delays: Sequence[float] = RETRY_DELAYS,
) -> bool:
    """Post a signed body to a webhook, again after each failure; whether it was accepted.

    2xx accepts, a redirect fails for good, all else is tried again. Each attempt has a timestamp
    and a signature of its own. Unlike fal this does reach private and loopback addresses: that
    is where tests listen.
    """
    timeout = FIRST_TIMEOUT
    for delay in (*retry_delays, None):
        headers = signer.headers(body, request_id=request_id)
        headers["Content-Type"] = "application/json"
        try:
            async with session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as reply:
                if reply.status < 400:
                    return reply.status < 300
        except aiohttp.InvalidURL:
            return False
        except (aiohttp.ClientError, TimeoutError):
            pass  # as good as a refusal: the next attempt may reach it
        if delay is not None:
            timeout = RETRY_TIMEOUT
            await asyncio.sleep(delay)
    return False
