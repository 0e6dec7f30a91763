"""Webhooks: the addresses that providers are given, and proof that a call comes from them."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boards.engine.signatures import fal_ed25519, hmac_sha256, standard_webhooks
from boards.errors import BoardsError, ProviderError, StorageError, WebhookError
from boards.spec.paths import ABSENT, first
from boards.spec.requests import CompiledRequest

if TYPE_CHECKING:
    from boards.engine.rest import ProviderClient
    from boards.spec.model import Verify

__all__ = ["Addresses", "Replays", "Secrets", "token_hash"]

_KEY_BYTES: Final = 32
_TOKEN_BYTES: Final = 16
_FETCH_AGAIN: Final = 60.0
"""Seconds before a secret is fetched once more because a signature is wrong."""
_LIFE: Final = 24 * 3600.0
"""Seconds that a fetched secret is used."""
_MOST_REPLAYS: Final = 100_000


def token_hash(token: str) -> str:
    """What the store keeps of a token: SHA-256, hex."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Addresses:
    """The address of each attempt's webhook.

    The token in it is 128 bits of an HMAC of the attempt under a key of this installation, so
    that a replayed attempt has the same address, and the store need only have its hash.

    Args:
        base: The public address below which webhooks arrive: https, as providers ask.
        key_file: Where the key lives; made at first use, readable by its owner alone.
    """

    def __init__(self, base: str, key_file: Path) -> None:
        self._base = base.rstrip("/")
        self._key_file = key_file
        self._key: bytes | None = None

    def token(self, attempt_uuid: str) -> str:
        """The token of an attempt."""
        if self._key is None:
            self._key = _read_key(self._key_file)
        digest = hmac.new(self._key, attempt_uuid.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest[:_TOKEN_BYTES]).decode().rstrip("=").lower()

    def url(self, provider: str, generation_id: str, attempt_uuid: str) -> str:
        """The whole address; the generation's id in it is what reconciliation looks for."""
        return f"{self._base}/{provider}/{generation_id}/{self.token(attempt_uuid)}"


def _read_key(path: Path) -> bytes:
    """The key in a file, made if there is none."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            mine = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(mine, path)  # the first process wins
            except FileExistsError:
                pass
            finally:
                mine.unlink()
        key = path.read_bytes()
    except OSError as error:
        raise StorageError(f"The key of the webhooks, {path}, cannot be used: {error}.") from error
    if len(key) != _KEY_BYTES:
        raise StorageError(
            f"The key of the webhooks, {path}, is damaged.",
            remedy="Delete it; a submit that was lost is then looked for, instead of sent again.",
        )
    return key


class Replays:
    """Which messages were seen, as long as their signatures would be believed."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def seen(self, message: str, life: float) -> bool:
        """Whether a message came before; it is remembered from now on."""
        now = time.monotonic()
        if len(self._seen) >= _MOST_REPLAYS:
            self._seen = {one: until for one, until in self._seen.items() if until > now}
        until = self._seen.get(message)
        if life > 0:
            self._seen[message] = now + life
        return until is not None and until > now

    def forget(self, message: str) -> None:
        """It could not be taken in: it may come again."""
        self._seen.pop(message, None)


class Secrets:
    """What verifies the webhooks of one provider; fetched once, and again when it was changed."""

    def __init__(self, client: "ProviderClient") -> None:
        self._client = client
        self._fetched: dict[str, tuple[float, str]] = {}
        self._fetching = asyncio.Lock()

    async def verify(self, how: "Verify", headers: Mapping[str, str], body: bytes) -> str:
        """Verify a webhook; what names the message, by which a replay is known.

        Args:
            how: What the spec says.
            headers: Names in lower case.
            body: As it came.

        Raises:
            WebhookError: It does not verify.
        """
        if how.kind == "none":
            return ""
        secret = await self._secret(how, older_than=_LIFE)
        try:
            return _verified(how, headers, body, secret)
        except WebhookError:
            if how.secret_request is None:
                raise
            newer = await self._secret(how, older_than=_FETCH_AGAIN)
            if newer == secret:
                raise
            return _verified(how, headers, body, newer)

    async def _secret(self, how: "Verify", *, older_than: float) -> str:
        if how.secret_env is not None:
            secret = self._client.secret(how.secret_env)
            if secret is not None:
                return secret
        if how.secret_request is None:
            raise WebhookError(
                f"There is no secret to verify webhooks of {self._client.name} with.",
                remedy=f"Set {how.secret_env}.",
                provider=self._client.name,
            )
        request = CompiledRequest(how.secret_request, self._client.spec.headers)
        rendered = request.render({"config": self._client.config})
        async with self._fetching:
            at, known = self._fetched.get(rendered.url, (0.0, ""))
            if known and time.monotonic() < at + older_than:
                return known
            try:
                reply = await self._client.repeat(rendered)
            except BoardsError as error:
                if known and isinstance(error, ProviderError) and error.retryable:
                    return known
                raise WebhookError(
                    f"What verifies the webhook cannot be fetched: {error.message}",
                    remedy=error.remedy,
                    provider=self._client.name,
                ) from error
            for path in how.secret_request.capture.values():
                secret = first(path)(reply)
                if secret is ABSENT or not isinstance(secret, str | dict):
                    break
                text = secret if isinstance(secret, str) else json.dumps(secret)
                self._fetched[rendered.url] = (time.monotonic(), text)
                return text
        raise WebhookError(
            f"{self._client.name} did not tell what verifies its webhooks.",
            provider=self._client.name,
        )


def _verified(how: "Verify", headers: Mapping[str, str], body: bytes, secret: str) -> str:
    now = time.time()
    match how.kind:
        case "standard_webhooks":
            return standard_webhooks(headers, body, secret, now=now, tolerance=how.tolerance)
        case "fal_ed25519":
            return fal_ed25519(headers, body, secret, now=now, tolerance=how.tolerance)
        case _:
            return hmac_sha256(
                headers,
                body,
                secret,
                header=how.header or "x-signature",
                prefix=how.prefix,
                encoding=how.encoding,
            )
