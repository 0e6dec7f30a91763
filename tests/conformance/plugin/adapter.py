"""What the language cannot say about Acme's studio."""

import hashlib
import hmac
import time
from collections.abc import Mapping

from attrs import evolve

from boards.adapters import Adapter, Job
from boards.engine.transport import Request
from boards.errors import ProviderError, WebhookError
from boards.spec.replies import Found, ReplyValue

TOLERANCE = 300.0
"""Seconds by which the time of a webhook may be off."""


class StudioAdapter(Adapter):
    """Bodies have a digest, sound is hexadecimal, and webhooks are signed with their time."""

    async def authenticate(self, request: Request) -> Request:
        """Beside the key: the digest of the body, as it goes out."""
        request = await super().authenticate(request)
        if request.body is None:
            return request
        digest = hashlib.sha256(request.body).hexdigest()
        return evolve(request, headers={**request.headers, "X-Acme-Digest": f"sha256={digest}"})

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        """The sound, from its hexadecimal digits."""
        try:
            return [
                evolve(found, form="bytes", value=bytes.fromhex(found.value))
                for found in await super().outputs(job, told)
            ]
        except ValueError as error:
            raise ProviderError("provider", "The sound is not hexadecimal.") from error

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        """``X-Acme-Signature: t=UNIX,v1=HMAC`` over the time and the body."""
        given = headers.get("x-acme-signature", "")
        parts = dict(part.partition("=")[::2] for part in given.split(","))
        moment, signature = parts.get("t", ""), parts.get("v1", "")
        secret = self.client.secret("ACME_STUDIO_SECRET") or ""
        wanted = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
        if not secret or not hmac.compare_digest(signature.encode(), wanted.hexdigest().encode()):
            raise WebhookError("The signature of the webhook is wrong.")
        if abs(time.time() - int(moment)) > TOLERANCE:
            raise WebhookError("The webhook is too old.")
