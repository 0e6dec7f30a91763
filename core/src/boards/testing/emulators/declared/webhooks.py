"""Webhooks of a job: the body that the spec reads, signed as the spec verifies it."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Final

import aiohttp

from boards.spec.model import Verify, Webhook
from boards.spec.paths import Path
from boards.testing.emulators.declared.answers import Answer
from boards.testing.emulators.declared.synthesis import worded
from boards.testing.emulators.declared.tasks import Task
from boards.testing.emulators.fal.webhooks import Signer
from boards.testing.emulators.replicate.webhooks import SECRET, signature

_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further delivery, where one is not accepted."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)


class Sender:
    """Signs and sends webhooks.

    Args:
        key: Signs where the spec has ``hmac_sha256``, and where a variable has the secret.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._signer = Signer()

    def told(self, how: Verify) -> Answer:
        """The reply that tells a client what verifies webhooks."""
        answer = Answer(body={})
        request = how.secret_request
        assert request is not None  # noqa: S101  # its route is only there with it
        told = self._signer.jwks() if how.kind == "fal_ed25519" else self.secret(how)
        for path in request.capture.values():
            answer = answer.put(path, told)
        return answer

    def secret(self, how: Verify) -> str:
        """What signs, as the client has to know it."""
        if how.kind != "standard_webhooks":
            return self._key
        return SECRET if how.secret_env is None else f"whsec_{_encoded(self._key)}"

    def headers(self, how: Verify, body: bytes, task: Task) -> dict[str, str]:
        """The headers that prove who sends a body."""
        now = int(time.time())
        match how.kind:
            case "standard_webhooks":
                message = f"msg_{secrets.token_hex(14)}"
                return {
                    "webhook-id": message,
                    "webhook-timestamp": str(now),
                    "webhook-signature": signature(self.secret(how), message, now, body),
                }
            case "fal_ed25519":
                return self._signer.headers(body, request_id=task.token)
            case "hmac_sha256":
                digest = hmac.digest(self.secret(how).encode(), body, hashlib.sha256)
                told = digest.hex() if how.encoding == "hex" else base64.b64encode(digest).decode()
                return {how.header or "x-signature": f"{how.prefix}{told}"}
        return {}

    async def follow(self, task: Task, session: aiohttp.ClientSession) -> None:
        """Wait for the end of a job, and tell its webhook."""
        webhook = task.served.compiled.run.webhook
        if webhook is None or task.webhook is None:
            return
        await task.over()
        content = json.dumps(body(task, webhook)).encode()
        for pause in (*_PAUSES, None):
            headers = self.headers(webhook.verify, content, task)
            headers["Content-Type"] = "application/json"
            if await _post(session, task.webhook, content, headers) or pause is None:
                return
            await asyncio.sleep(pause)


def body(task: Task, webhook: Webhook) -> object:
    """What a call says of a job that has ended: a poll's reply, the result in its place."""
    told = task.told()
    ended = "canceled" if task.canceled else "failed" if task.ending is not None else "succeeded"
    if webhook.status is not None:
        told = next(iter(worded(webhook.status, Answer(body={}), ended)), told)
    if webhook.body_at is not None and ended == "succeeded":
        told = _within(told, webhook.body_at, task.final())
    return told.body


def _within(told: Answer, path: Path, result: Answer) -> Answer:
    if len(path.steps) == 1:  # the whole body is the result: it keeps what says how the job is
        both = {**(told.body or {}), **result.body} if isinstance(result.body, dict) else None
        return Answer(body=both or result.body)
    return told.put(path, result.body)


async def _post(
    session: aiohttp.ClientSession, url: str, content: bytes, headers: dict[str, str]
) -> bool:
    try:
        async with session.post(
            url, data=content, headers=headers, allow_redirects=False, timeout=_TIMEOUT, ssl=False
        ) as reply:
            return reply.status < 300  # 2xx accepts
    except (aiohttp.ClientError, TimeoutError):
        return False


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
