"""Adapters that are wrong in one way each: mistakes that authors make."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import aiohttp
from attrs import evolve

from boards.adapters import Adapter, Job, reply
from boards.engine.transport import LostReplyError, Request
from boards.errors import ProviderError
from boards.spec.replies import Found, ReplyValue
from boards.spec.requests import Rendered
from tests.conformance.acme.media import wav
from tests.conformance.plugin.adapter import StudioAdapter

_log = logging.getLogger("acme")


class Undecoded(StudioAdapter):
    """Takes the hexadecimal digits for the sound."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        return [Found("bytes", told["body"]["hex"].encode(), mime="audio/wav")]


class Embellishing(StudioAdapter):
    """Sends a field that is not in the documentation."""

    async def prepare(self, job: Job, request: Rendered) -> Rendered:
        return evolve(request, json={**request.json, "priority": "high"})


class Unsigned(StudioAdapter):
    """Sends bodies without their digest."""

    async def authenticate(self, request: Request) -> Request:
        return await Adapter.authenticate(self, request)


class Anonymous(StudioAdapter):
    """Sends its key only where it sends a body."""

    async def authenticate(self, request: Request) -> Request:
        return request if request.body is None else await super().authenticate(request)


class Narrow(StudioAdapter):
    """Gives a job up for a phase that it has not heard of."""

    async def status(self, job: Job) -> ReplyValue:
        told = await super().status(job)
        if told["body"].get("phase") not in {10, 20, 30, 40, 41, 50}:
            raise ProviderError("provider", "The studio is in a phase that does not exist.")
        return told


class Consoling(StudioAdapter):
    """Gives silence where the provider gave nothing."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        found = await super().outputs(job, told)
        return found or [Found("bytes", wav("silence"), mime="audio/wav")]


class Soothing(StudioAdapter):
    """Hides what the provider says of a failure."""

    async def status(self, job: Job) -> ReplyValue:
        told = await super().status(job)
        return {**told, "body": {**told["body"], "reason": "Something went wrong."}}


class Insistent(StudioAdapter):
    """Submits once more where no answer came."""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        try:
            return await super().submit(job, request)
        except LostReplyError:
            return await super().submit(job, request)


class Impatient(StudioAdapter):
    """Submits at once again where it was told to wait."""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        told = await super().submit(job, request)
        return told if told["status"] != 429 else await super().submit(job, request)


class Hopeful(StudioAdapter):
    """Takes a refused key for an outage."""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        told = await super().submit(job, request)
        return told if told["status"] != 401 else {**told, "status": 500}


class Resigned(StudioAdapter):
    """Gives a job up when the provider has an outage."""

    async def status(self, job: Job) -> ReplyValue:
        told = await super().status(job)
        if told["status"] >= 500:
            raise ProviderError("provider", "The studio is broken.")
        return told


class Unstoppable(StudioAdapter):
    """Tells nobody that a job is canceled."""

    async def cancel(self, job: Job) -> None:
        return


class Waiting(StudioAdapter):
    """Comes back with the status only when the job is over."""

    async def status(self, job: Job) -> ReplyValue:
        while (told := await super().status(job))["body"].get("phase") in {10, 20}:
            await asyncio.sleep(0.05)
        return told


class Talkative(StudioAdapter):
    """Logs what it sends, its key included."""

    async def authenticate(self, request: Request) -> Request:
        request = await super().authenticate(request)
        _log.warning("sending %s with %s", request.url, dict(request.headers))
        return request


class Revealing(StudioAdapter):
    """Keeps its key with the sound."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        key = self.client.named_secret("api_key")
        found = await super().outputs(job, told)
        return [evolve(one, meta={**one.meta, "account": key}) for one in found]


class Trusting(StudioAdapter):
    """Believes every webhook."""

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        return


class Forgetful(StudioAdapter):
    """Has an id of its own for a job, and the provider's in memory."""

    takes: dict[str, str]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.takes = {}

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        told = await super().submit(job, request)
        mine = job.generation.id
        self.takes[mine] = told["body"]["take"]
        return reply({**told["body"], "take": mine})

    async def status(self, job: Job) -> ReplyValue:
        return await super().status(self._known(job))

    async def result(self, job: Job, told: ReplyValue) -> ReplyValue:
        return await super().result(self._known(job), told)

    def _known(self, job: Job) -> Job:
        return evolve(job, scope={**job.scope, "job": {"id": self.takes[job.generation.id]}})


class Sharing(StudioAdapter):
    """Has one place for the job that runs, as if there were never two."""

    take = ""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        told = await super().submit(job, request)
        self.take = told["body"].get("take", "")
        return told

    async def result(self, job: Job, told: ReplyValue) -> ReplyValue:
        return await super().result(
            evolve(job, scope={**job.scope, "job": {"id": self.take}}), told
        )


class Nameless(StudioAdapter):
    """Calls every job by the same name, and asks for the one that it began last."""

    take = ""

    async def submit(self, job: Job, request: Rendered | None) -> ReplyValue:
        told = await super().submit(job, request)
        self.take = told["body"]["take"]
        return reply({**told["body"], "take": "take_1"})

    async def status(self, job: Job) -> ReplyValue:
        return await super().status(self._last(job))

    async def result(self, job: Job, told: ReplyValue) -> ReplyValue:
        return await super().result(self._last(job), told)

    def _last(self, job: Job) -> Job:
        return evolve(job, scope={**job.scope, "job": {"id": self.take}})


class Downloading(Adapter):
    """Fetches pictures by itself: whatever comes, from wherever, with its key."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        headers = {"X-Acme-Key": self.client.named_secret("api_key")}
        found = []
        async with aiohttp.ClientSession(headers=headers) as session:
            for one in await super().outputs(job, told):
                async with session.get(one.value) as answer:
                    found.append(evolve(one, form="bytes", value=await answer.read()))
        return found


class Cropping(Downloading):
    """Has room for so much of a picture, and calls it the picture."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        return [evolve(one, value=one.value[:1000]) for one in await super().outputs(job, told)]


class Pasting(Downloading):
    """Keeps what it fetched as a text, which nobody looks into."""

    async def outputs(self, job: Job, told: ReplyValue) -> list[Found]:
        found = await super().outputs(job, told)
        return [evolve(one, form="text", value=one.value.decode("latin-1")) for one in found]
