"""Replicate's webhooks: what is sent when, signed as Standard Webhooks asks.

A body is what a read of the prediction answers at that moment; nothing in it names the
event. Only the terminal one is repeated, with the same ``webhook-id``, for about a minute.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp

from boards.testing.emulators.replicate.predictions import TERMINAL, Prediction

EVENTS: Final = ("start", "output", "logs", "completed")
DEFAULT_EVENTS: Final = ("output", "completed")
SECRET: Final = "whsec_" + base64.b64encode(b"boards-replicate-webhook").decode()
"""The signing secret of the emulated account."""

_THROTTLE_SECONDS: Final = 0.5
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_PAUSES: Final = (0.5, 1, 2, 4, 8, 15, 30)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the ``webhook-signature`` header.

    Args:
        secret: ``whsec_`` and the key in base64.
        message_id: The ``webhook-id`` header.
        timestamp: The ``webhook-timestamp`` header, in Unix seconds.
        body: The body as sent.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


async def follow(
    prediction: Prediction,
    document: Callable[[], Mapping[str, Any]],
    session: aiohttp.ClientSession,
) -> None:
    """Tell a prediction's webhook what happens to it, until it has ended and was told so.

    Args:
        prediction: One with a webhook.
        document: What a read answers now.
        session: Sends the requests.
    """
    url, wanted, job = prediction.webhook, prediction.events, prediction.job
    if url is None:
        return
    await prediction.until(min(job.starts, job.ends))
    body = document()
    if "start" in wanted and body["status"] == "processing":
        await _post(session, url, _message_id(), body)
    watched = [name for name in ("output", "logs") if name in wanted]
    told = [body[name] for name in watched]
    while watched and body["status"] not in TERMINAL:
        await prediction.until(min(time.monotonic() + _THROTTLE_SECONDS, job.ends))
        body = document()
        news = [body[name] for name in watched]
        if body["status"] == "processing" and news != told:
            await _post(session, url, _message_id(), body)
            told = news
    await prediction.until(job.ends)
    body = document()
    if "output" in wanted and body["status"] == "succeeded":
        # The output is told while the prediction still counts as running.
        early = {**body, "status": "processing", "completed_at": None, "metrics": {}}
        await _post(session, url, _message_id(), early)
    if "completed" in wanted:
        message_id = _message_id()
        for pause in (*_PAUSES, None):
            if await _post(session, url, message_id, body) or pause is None:
                return
            await asyncio.sleep(pause)


async def _post(
    session: aiohttp.ClientSession, url: str, message_id: str, body: Mapping[str, Any]
) -> bool:
    content = json.dumps(body).encode()
    now = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(SECRET, message_id, now, content),
    }
    try:
        # Receivers in tests have certificates that nobody vouches for.
        async with session.post(
            url,
            data=content,
            headers=headers,
            allow_redirects=False,
            timeout=_TIMEOUT,
            ssl=False,
        ) as response:
            return response.status < 400
    except (aiohttp.ClientError, TimeoutError):
        return False


def _message_id() -> str:
    return "msg_" + secrets.token_hex(14)
