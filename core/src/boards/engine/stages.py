"""The stages of a provider as its spec says them: what an adapter overrides."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from boards.engine import reconciling, webhooks
from boards.engine.uploading import upload
from boards.errors import UnavailableError

if TYPE_CHECKING:
    from boards.adapters import Job
    from boards.engine.rest import ProviderClient
    from boards.engine.transport import Request
    from boards.spec.replies import Found, ReplyValue
    from boards.spec.requests import FilePart, Rendered

__all__ = ["SpecStages"]


class SpecStages:
    """See :class:`boards.adapters.Stages`.

    Args:
        client: Sends the provider's requests.
    """

    repeatable: ClassVar[bool] = False

    def __init__(self, client: "ProviderClient") -> None:
        self._client = client
        self._secrets = webhooks.Secrets(client)

    async def prepare(self, job: "Job", request: "Rendered") -> "Rendered":
        """As it is."""
        return request

    async def authenticate(self, request: "Request") -> "Request":
        """As ``auth`` says."""
        return self._client.authenticated(request)

    async def upload(self, job: "Job", file: "FilePart") -> str:
        """As ``files.upload`` says."""
        return await upload(self._client, job.scope, file)

    async def submit(self, job: "Job", request: "Rendered | None") -> "ReplyValue":
        """Send the request, on a connection that is surely alive."""
        if request is None:
            raise UnavailableError(
                f"{job.generation.generator} says type: adapter, and {self._client.name} has no"
                " adapter that submits.",
                remedy="Name one: adapter: package.module:Class",
            )
        return await self._client.exchange(request, fresh=True)

    async def reconcile(self, job: "Job") -> list[dict[str, Any]] | None:
        """Go over the pages of ``reconcile``."""
        return await reconciling.matches(self._client, job)

    async def status(self, job: "Job") -> "ReplyValue":
        """Send ``poll``."""
        poll = job.compiled.poll
        assert poll is not None  # noqa: S101  # the engine asks only where there is one
        return await self._client.exchange(poll.render(job.scope))

    async def result(self, job: "Job", told: "ReplyValue") -> "ReplyValue":
        """Send ``result``, if there is one."""
        if job.compiled.result is None:
            return told
        return await self._client.exchange(job.compiled.result.render(job.scope))

    async def outputs(self, job: "Job", told: "ReplyValue") -> "list[Found]":
        """As ``extract`` says."""
        return job.compiled.outputs(told)

    async def cancel(self, job: "Job") -> None:
        """Send ``cancel``, if there is one."""
        if job.compiled.cancel is not None:
            await self._client.repeat(job.compiled.cancel.render(job.scope))

    async def verify_webhook(self, job: "Job", headers: Mapping[str, str], body: bytes) -> None:
        """As ``webhook.verify`` says."""
        webhook = job.compiled.run.webhook
        if webhook is not None:
            await self._secrets.verify(webhook.verify, headers, body)
