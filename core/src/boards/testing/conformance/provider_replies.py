"""Checks of what a provider says of a job: words nobody knows, failures, nothing at all."""

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.testing.conformance.checks import (
    CheckTable,
    NotApplicable,
    require,
)
from boards.testing.conformance.holding import asked_for
from boards.testing.conformance.proxy import Answer, Call, Lost
from boards.testing.conformance.rewriting import status_in, with_status, without_outputs
from boards.testing.conformance.rig import Rig, rig, shown
from boards.testing.conformance.subject import FAST, ProviderSubject
from boards.testing.conformance.trying import on_each

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_UNHEARD: Final = "boards-conformance-unheard-of"


@CHECKS.add("unknown-status")
@on_each()
async def unknown_status(made: Rig, generator: "CompiledGenerator") -> None:
    """A status that nobody has heard of does not end a job that is paid for."""
    asked_for(generator)
    if generator.poll is None:
        raise NotApplicable("its jobs are not asked for")
    faults: list[NotApplicable] = []

    async def unheard(call: Call) -> Answer:
        reply = await call.forward()
        if call.number > 1:
            return reply
        try:
            return with_status(generator, reply, _UNHEARD)
        except NotApplicable as told:
            faults.append(told)
            return reply

    made.proxy.handlers["poll"] = unheard
    generation = await made.run(generator)
    if faults:
        raise faults[0]
    require(
        generation.phase == "succeeded",
        f"{generator.id} is {shown(generation)} after one reply with the status {_UNHEARD!r}",
        "status: {unknown: running}, or else: running, asks again until the deadline.",
    )


@CHECKS.add("success-without-outputs")
@on_each()
async def success_without_outputs(made: Rig, generator: "CompiledGenerator") -> None:
    """A job that succeeds without an output is a failure, not an empty success."""
    if generator.websocket is not None:
        raise NotApplicable("its jobs are heard of by a websocket")
    faults: list[NotApplicable] = []

    async def stripped(call: Call) -> Answer:
        reply = await call.forward()
        final = call.role == "result" or generator.run.synchronous
        if reply.status >= 300 or not (final or status_in(generator, reply) == "succeeded"):
            return reply
        try:
            bare = without_outputs(generator, reply)
        except NotApplicable as told:
            faults.append(told)
            return reply
        if not final and status_in(generator, bare) != "succeeded":
            faults.append(NotApplicable("that there is an output is what tells of success"))
            return reply
        return bare

    made.proxy.handlers |= dict.fromkeys(("submit", "poll", "result", "stream"), stripped)
    generation = await made.run(generator)
    if faults:
        raise faults[0]
    require(
        generation.phase == "failed" and not generation.artifacts,
        f"{generator.id} is {shown(generation)} although the provider brought no output",
        "Let extract name only what a job makes, and an adapter's outputs invent nothing.",
    )


@CHECKS.add("failure-reported")
@on_each(knobs=evolve(FAST, fail_every=1))
async def failure_reported(made: Rig, generator: "CompiledGenerator") -> None:
    """A job that fails at the provider fails here, with the provider's own words."""
    generation = await made.run(generator)
    require(
        generation.phase == "failed" and generation.error is not None,
        f"{generator.id} is {shown(generation)} although the server was told to fail every job",
        "See status.map and failure; a server of your own has to honour knobs.fail_every.",
    )
    error = generation.error
    assert error is not None  # noqa: S101  # seen above
    known = {one.raises for one in generator.spec.tests}
    require(
        error.kind not in _UNFITTING or error.kind in known,
        f"{generator.id} failed with {error.kind}: {error.message}",
        f"A failed job is no {error.kind}: see failure.raise and errors.",
    )
    require(
        _quoted(made, error.message),
        f"the provider said why the job failed, and the error is {error.message!r}",
        "failure.message, or an error rule's message, says where the provider tells why.",
    )
    says = [status_in(generator, call.said) for call in made.proxy.of("poll") if call.said]
    refused = any(call.said.status >= 400 for call in made.proxy.calls if call.said)
    require(
        refused or "succeeded" not in says,
        f"the server was told to fail every job, and what it says means success: {error.message}",
        "See status.map: which words does the provider end its jobs with?",
    )
    require(made.jobs <= 1, f"a job that failed was begun {made.jobs} times")


_UNFITTING: Final = frozenset({"auth", "rate_limited", "untrusted_url", "expired", "quota"})
"""What no failed job is, unless the provider's own tests show one."""


def _quoted(made: Rig, message: str) -> bool:
    """Whether a message is the server's, or the server gave none."""
    said = [call.said for call in made.proxy.calls if call.said is not None]
    reasons = [one for one in _texts(said[-1].json) if " " in one and len(one) >= _SENTENCE]
    heard = [text for one in said for text in _texts(one.json) if len(text) >= _SENTENCE]
    return not reasons or any(text in message for text in heard)


_SENTENCE: Final = 8
"""Characters from which a text may be a reason."""


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]


@CHECKS.add("moderation")
async def moderation(subject: ProviderSubject) -> None:
    """A job that is refused by content policy is told as such."""
    order = [*subject.tried, *subject.compiled.values()]
    shown_by = [one for one in order if any(test.raises == "moderated" for test in one.spec.tests)]
    if not shown_by:
        raise NotApplicable("no test shows a refusal by content policy")
    generator = shown_by[0]
    async with rig(subject, knobs=evolve(FAST, moderate_every=1)) as made:
        generation = await made.run(generator)
        kind = generation.error.kind if generation.error is not None else generation.phase
        require(
            kind == "moderated",
            f"{generator.id} is {shown(generation)} although content policy refused it",
            "Raise moderated in failure.raise, or in errors, for what the provider says then.",
        )
        require(made.jobs <= 1, f"a refused job was begun {made.jobs} times")


@CHECKS.add("poll-survives")
@on_each()
async def poll_survives(made: Rig, generator: "CompiledGenerator") -> None:
    """An outage while a job runs loses nothing: neither the job nor its result."""
    asked_for(generator)
    if generator.poll is None:
        raise NotApplicable("its jobs are not asked for")

    ends: list[Call] = []

    async def outage(call: Call) -> Answer:
        if call.number == 1:
            return Answer(503, {}, b"Service Unavailable")
        reply = await call.forward()
        if status_in(generator, reply) == "succeeded":
            ends.append(call)
            if len(ends) == 1:
                raise Lost  # the provider told, and nobody heard
        return reply

    async def hiccup(call: Call) -> Answer:
        return Answer(502, {}, b"Bad Gateway") if call.number == 1 else await call.forward()

    made.proxy.handlers |= {"poll": outage, "result": hiccup}
    await made.succeed(generator, "after polls that were answered 503, or not at all")
    require(made.jobs == 1, f"an outage made {made.jobs} jobs of one")
