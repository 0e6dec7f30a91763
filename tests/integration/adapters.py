"""Adapters of the tests: each overrides stages of Acme."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from attrs import evolve

from boards.adapters import Adapter, Job, reply
from boards.engine.transport import LostReplyError
from boards.entries import Availability
from boards.errors import ProviderError, WebhookError
from boards.spec.replies import Found

LOCAL_CALLS: list[str] = []


class Stamping(Adapter):
    """Changes requests, and adds credentials of its own."""

    async def prepare(self, job: Job, request: Any) -> Any:
        return evolve(request, headers={**request.headers, "X-Run": job.generation.id})

    async def authenticate(self, request: Any) -> Any:
        headers = {**request.headers, "Authorization": "Bearer acme-secret-key"}
        return evolve(request, headers=headers)


class Renaming(Adapter):
    """Says status, result and outputs in words of its own."""

    async def status(self, job: Job) -> Any:
        told = await super().status(job)
        return {**told, "body": {**told["body"], "status": told["body"]["status"].lower()}}

    async def result(self, job: Job, told: Any) -> Any:
        return reply({"pictures": ["one"], "of": told["body"]["id"]})

    async def outputs(self, job: Job, told: Any) -> list[Found]:
        return [Found("url", f"{self.client.config['files_url']}/{told['body']['of']}.png")]


class Uploading(Adapter):
    """Takes files in a way of its own."""

    async def upload(self, job: Job, file: Any) -> str:
        return f"acme://{file.mime}/{len(file.content)}"


class Local(Adapter):
    """Needs no provider: the work is done here."""

    repeatable = True

    @classmethod
    def available(cls, provider: Any, settings: Any) -> Availability:
        missing = settings.secret("ACME_NOT_HERE")
        return Availability(missing is None, "the library is not installed", "Install it.")

    async def submit(self, job: Job, request: Any) -> Any:
        LOCAL_CALLS.append(job.generation.id)
        prompt = job.input["prompt"]
        if prompt == "bad":
            raise ProviderError("moderated", "not that")
        if prompt == "exit":
            sys.exit("no model")
        if prompt == "bug":
            raise ZeroDivisionError
        if prompt == "lost":
            raise LostReplyError("gone")
        await asyncio.sleep(0)
        return reply({"text": prompt.upper()})

    async def outputs(self, job: Job, told: Any) -> list[Found]:
        return [Found("text", told["body"]["text"])]


class Finding(Adapter):
    """Looks for lost jobs, cancels and verifies in ways of its own."""

    async def reconcile(self, job: Job) -> list[dict[str, Any]] | None:
        return [{"id": "job-1"}]

    async def cancel(self, job: Job) -> None:
        LOCAL_CALLS.append(f"cancel {job.scope['job']['id']}")
        await super().cancel(job)

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        if headers.get("x-acme") != "yes":
            raise WebhookError("not from Acme")


class Careless(Adapter):
    """Quotes the key when it verifies, in a mistake or in an error of ours."""

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        kind = {"mistake": KeyError, "refused": WebhookError, "lost": LostReplyError}
        raise kind[headers["x-acme"]]("acme-secret-key does not fit")


NOT_AN_ADAPTER = "text"
