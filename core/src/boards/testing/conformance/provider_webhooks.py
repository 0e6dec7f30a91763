"""Checks of webhooks: signed by the provider, or refused."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from attrs import define, evolve

from boards.adapters import Adapter, load_adapter
from boards.errors import WebhookError
from boards.generations import Generation
from boards.spec.model import GeneratorSpec, Verify, Webhook
from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.holding import Hold
from boards.testing.conformance.proxy import Answer, Call
from boards.testing.conformance.receiver import Delivery, Receiver, receiver
from boards.testing.conformance.rewriting import ALIVE, saying_status, with_value
from boards.testing.conformance.rig import Rig, rig, shown
from boards.testing.conformance.signing import Signer
from boards.testing.conformance.subject import FAST, ProviderSubject

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_NEVER: Final = 3600.0
"""Seconds between polls, where a webhook is to come first."""
_DELIVERY: Final = 2.0
"""Seconds within which a server that sends webhooks has sent one."""
_OLD: Final = 1800.0
"""Seconds after which nobody may believe a signature: whoever caught it may send it again."""
_REST: Final = 0.15
"""Seconds in which a call that is believed shows."""


def _webhook_of(generator: "CompiledGenerator") -> Webhook:
    webhook = generator.run.webhook
    if webhook is None:
        raise NotApplicable("the spec declares no webhook")
    return webhook


def _verifies_itself(subject: ProviderSubject) -> bool:
    """Whether an adapter verifies webhooks, in a way that only the provider can sign.

    Raises:
        NotApplicable: It does, and there is no server of the author's own, which signs so.
    """
    adapter = subject.spec.adapter
    if adapter is None or load_adapter(adapter).verify_webhook is Adapter.verify_webhook:
        return False
    if subject.server is None:
        raise NotApplicable("the adapter verifies webhooks: only a server of your own signs so")
    return True


async def _genuine(job: "_Waiting", hooks: Receiver) -> Delivery:
    """A call that the server sends of itself."""
    with contextlib.suppress(NonconformanceError):
        await job.made.until(lambda: hooks.deliveries, "a webhook", _DELIVERY)
    if not hooks.deliveries:
        raise NotApplicable(
            "the adapter verifies webhooks in a way of its own, and the server sends none"
        )
    return hooks.deliveries[0]


def _signed_by(subject: ProviderSubject) -> "tuple[CompiledGenerator, Verify]":
    """A generator whose webhooks are signed."""
    for generator in subject.tried:
        if generator.run.webhook is not None:
            verify = generator.run.webhook.verify
            if verify.kind == "none" and not _verifies_itself(subject):
                raise NotApplicable("verify: {kind: none}: calls only wake jobs, and prove nothing")
            return generator, verify
    raise NotApplicable("the spec declares no webhook")


def _unasked(spec: GeneratorSpec) -> GeneratorSpec:
    poll = spec.execution.poll
    if poll is None:
        return spec
    rare = evolve(poll, every=_NEVER, max_every=_NEVER)
    return evolve(spec, execution=evolve(spec.execution, poll=rare))


@define(eq=False)
class _Waiting:
    """A job that is not asked for: a webhook has to tell of it."""

    made: Rig
    generator: "CompiledGenerator"
    generation: Generation
    token: str

    async def call(self, headers: Mapping[str, str], body: bytes) -> None:
        """Hand a call to the host."""
        await self.made.boards.receive_webhook(
            self.made.subject.provider, headers, body, self.token
        )

    @property
    def asked(self) -> list[Call]:
        """The requests for the job, and for its result."""
        return self.made.proxy.of("poll", "result")

    async def body(self) -> bytes:
        """What a call says of the job as it is now: what the provider says when asked."""
        engine = self.made.boards._running  # the same package's test kit
        flight = engine.machine.flights[self.generation.id]
        stages, job = engine.stages(self.generation.provider), engine.machine.job(flight)
        told = await stages.status(job)
        body = self.made.proxy.of("poll")[-1].got
        assert body is not None  # noqa: S101  # it was just asked for
        webhook = _webhook_of(self.generator)
        if webhook.then != "accept" or webhook.body_at is None:
            return body.body
        await stages.result(job, told)
        results = self.made.proxy.of("result", "poll")
        return json.dumps(with_value(body.json, webhook.body_at, results[-1].got.json)).encode()  # type: ignore[union-attr]  # likewise


@contextlib.asynccontextmanager
async def _waiting(
    subject: ProviderSubject,
    generator: "CompiledGenerator",
    hooks: Receiver,
    signer: Signer | None = None,
    *,
    held: bool = False,
) -> AsyncIterator[_Waiting]:
    """A job whose provider was told where to call, and which nobody asks for."""
    planted = signer.environment if signer is not None else {}
    async with rig(
        subject, change=_unasked, webhook_url=hooks.url, planted=planted, direct=True
    ) as made:
        if held:
            Hold(made, generator)
        if signer is not None and (told := signer.told) is not None:

            async def tell(_call: Call) -> Answer:
                return told

            made.proxy.handlers["webhook"] = tell
        generation = await made.submit(generator)
        await made.until(lambda: made.accepted, f"{generator.id} was to be submitted")
        place = f"/{subject.provider}/{generation.id}/"
        sent = made.proxy.of("submit")[0].text.replace("%2F", "/").replace("\\/", "/")
        found = re.search(rf"{re.escape(place)}([a-z2-7]+)", sent)
        if found is None:
            raise NonconformanceError(
                f"the submit of {generator.id} does not tell the provider where to call",
                'Put "${run.webhook_url?}" where the provider reads the address of its webhook.',
            )
        await _accepted(made, generation)
        yield _Waiting(made, generator, generation, found[1])


async def _accepted(made: Rig, generation: Generation) -> None:
    """Wait until the host has kept that the provider accepted the job."""
    flights = made.boards._running.machine.flights  # the same package's test kit

    def kept() -> bool:
        flight = flights.get(generation.id)
        return flight is not None and flight.generation.phase not in ("queued", "submitting")

    await made.until(kept, f"{generation.generator} was to be accepted")


@CHECKS.add("webhook-valid")
async def webhook_valid(subject: ProviderSubject) -> None:
    """A webhook of the provider is believed, and ends the wait without a poll being due."""
    hooked = [one for one in subject.tried if one.run.webhook is not None]
    if not hooked:
        raise NotApplicable("the spec declares no webhook")
    generator = hooked[0]
    _verifies_itself(subject)
    async with receiver() as hooks:
        async with _waiting(subject, generator, hooks) as job:
            with contextlib.suppress(NonconformanceError):
                await job.made.until(lambda: hooks.deliveries, "a webhook", _DELIVERY)
            if hooks.deliveries:
                await asyncio.sleep(FAST.queue_seconds + FAST.run_seconds + _REST)
                asked, last = len(job.asked), hooks.deliveries[-1]  # those before say: it began
                await job.call(last.headers, last.body)
                _ended(job, await job.made.end(job.generation), asked)
                return
        signer = Signer(_webhook_of(generator).verify)
        async with _waiting(subject, generator, hooks, signer) as job:
            await asyncio.sleep(FAST.queue_seconds + FAST.run_seconds + _REST)
            body = await job.body()
            asked = len(job.asked)
            await job.call(signer.headers(body), body)
            _ended(job, await job.made.end(job.generation), asked)


def _ended(job: _Waiting, generation: Generation, asked: int) -> None:
    """Make sure that a job ended by what a webhook told.

    Args:
        job: Which.
        generation: As it ended.
        asked: How often the provider was asked for it before the webhook came.
    """
    require(
        generation.phase == "succeeded",
        f"{job.generator.id} is {shown(generation)} after a webhook that told of its success",
        "See webhook: body_at, status, and then.",
    )
    require(
        _webhook_of(job.generator).then != "accept" or len(job.asked) == asked,
        f"{job.generator.id} was asked for although a webhook had told of its success",
        "then: accept takes the outputs from the call: see webhook: status, and body_at.",
    )


@CHECKS.add("webhook-wrong")
async def webhook_wrong(subject: ProviderSubject) -> None:
    """A webhook that is not the provider's is refused, and changes nothing."""
    generator, verify = _signed_by(subject)
    if _verifies_itself(subject):
        async with receiver() as hooks, _waiting(subject, generator, hooks) as job:
            one = await _genuine(job, hooks)
            await _expect_refusal(job, one.headers, one.body + b" ", "changed after it was signed")
            await _expect_refusal(job, {}, one.body, "not signed at all")
        return
    signer, other = Signer(verify), Signer(verify, b"somebody else's key")
    async with receiver() as hooks, _waiting(subject, generator, hooks, signer) as job:
        await asyncio.sleep(FAST.queue_seconds + FAST.run_seconds + _REST)
        body = await job.body()
        forged = {
            "signed with another key": (other.headers(body), body),
            "changed after it was signed": (signer.headers(body), body + b" "),
            "not signed at all": ({}, body),
        }
        for how, (headers, content) in forged.items():
            await _expect_refusal(job, headers, content, how)


@CHECKS.add("webhook-old")
async def webhook_old(subject: ProviderSubject) -> None:
    """A webhook that was signed half an hour ago is refused: somebody may have kept it."""
    generator, verify = _signed_by(subject)
    if _verifies_itself(subject):
        raise NotApplicable("the adapter verifies webhooks in a way that only the provider signs")
    signer = Signer(verify)
    if not signer.timed:
        raise NotApplicable(f"{verify.kind} does not tell when it was signed")
    async with receiver() as hooks, _waiting(subject, generator, hooks, signer) as job:
        await asyncio.sleep(FAST.queue_seconds + FAST.run_seconds + _REST)
        body = await job.body()
        headers = signer.headers(body, age=_OLD)
        await _expect_refusal(job, headers, body, f"signed {_OLD:g} s ago")


async def _expect_refusal(job: _Waiting, headers: Mapping[str, str], body: bytes, how: str) -> None:
    asked = len(job.made.proxy.of("poll"))
    try:
        await job.call(headers, body)
    except WebhookError:
        await asyncio.sleep(_REST)
        now = await job.made.boards.get(job.generation.id)
        moved = now.final or len(job.made.proxy.of("poll")) > asked
        require(not moved, f"a webhook was refused that was {how}, and moved the job all the same")
        return
    raise NonconformanceError(
        f"a webhook that was {how} was believed",
        "webhook.verify: the right kind, with a tolerance of minutes; an adapter's verify_webhook"
        " raises WebhookError.",
    )


@CHECKS.add("webhook-replayed")
async def webhook_replayed(subject: ProviderSubject) -> None:
    """The same webhook again has no effect."""
    generator, verify = _signed_by(subject)
    signer = None if _verifies_itself(subject) else Signer(verify)
    async with (
        receiver() as hooks,
        _waiting(subject, generator, hooks, signer, held=True) as job,
    ):
        if signer is None:
            one = await _genuine(job, hooks)
            headers, body = one.headers, one.body
        else:
            told = Answer(200, {}, await job.body())
            body = saying_status(generator, told, ALIVE).body
            headers = signer.headers(body)
        asked = len(job.made.proxy.of("poll"))
        await job.call(headers, body)
        await job.made.until(
            lambda: len(job.made.proxy.of("poll")) > asked, "the job was to be asked for"
        )
        await asyncio.sleep(_REST)
        asked = len(job.made.proxy.of("poll"))
        with contextlib.suppress(WebhookError):
            await job.call(headers, body)
        await asyncio.sleep(_REST)
        require(
            len(job.made.proxy.of("poll")) == asked,
            "the same webhook was believed twice",
            "webhook.verify: its tolerance is how long a call is remembered.",
        )
