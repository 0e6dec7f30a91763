"""Checks of outputs: fetched from addresses that nobody vouches for."""

from typing import TYPE_CHECKING, Final

from boards.testing.conformance.checks import CheckTable, NotApplicable, require
from boards.testing.conformance.proxy import Answer, Call, Handler
from boards.testing.conformance.rig import Rig, rig, shown
from boards.testing.conformance.subject import ProviderSubject
from boards.testing.conformance.trying import on_each

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_PAGE: Final = b"<!doctype html><html><body>Sign in to continue</body></html>"
_LIMIT: Final = 100_000
"""Bytes that an output may have, where one that has more is sent."""
_INLINE: Final = NotApplicable("its outputs come with the reply: nothing is fetched")


def _saying(reply: Answer) -> Handler:
    async def say(_call: Call) -> Answer:
        return reply

    return say


@CHECKS.add("output-type")
@on_each()
async def output_type(made: Rig, generator: "CompiledGenerator") -> None:
    """A web page instead of the output is refused."""
    if generator.spec.artifact_type == "text":
        raise NotApplicable("a page is a text too")
    made.proxy.handlers["output"] = _saying(Answer(200, {"Content-Type": "text/html"}, _PAGE))
    generation = await made.run(generator)
    if not made.proxy.of("output"):
        raise _INLINE
    require(
        generation.phase == "failed" and not generation.artifacts,
        f"{generator.id} is {shown(generation)} with a web page for {generator.spec.artifact_type}",
        "Leave the fetching of outputs to the engine, which looks at their bytes.",
    )


@CHECKS.add("output-too-large")
@on_each(max_output_bytes=_LIMIT)
async def output_too_large(made: Rig, generator: "CompiledGenerator") -> None:
    """An output beyond the host's limit is refused, and nothing of it is kept."""
    large = Answer(200, {"Content-Type": "application/octet-stream"}, bytes(_LIMIT + 1))
    made.proxy.handlers["output"] = _saying(large)
    generation = await made.run(generator)
    if not made.proxy.of("output"):
        raise _INLINE
    require(
        generation.phase == "failed" and not generation.artifacts,
        f"{generator.id} is {shown(generation)} with an output of more bytes than the host allows",
        "Leave the fetching of outputs to the engine, which counts while they arrive.",
    )


@CHECKS.add("output-expired")
async def output_expired(subject: ProviderSubject) -> None:
    """An output that is gone is told as such; one that is only late is fetched all the same."""
    lacking = 0
    for generator in subject.tried:
        async with rig(subject) as made:

            async def late(call: Call) -> Answer:
                return Answer(404) if call.number == 1 else await call.forward()

            made.proxy.handlers["output"] = late
            generation = await made.run(generator)
            if not made.proxy.of("output"):
                lacking += 1
                continue
            made.expect_success(generation, "when its output was there at the second look")
        async with rig(subject) as made:
            made.proxy.handlers["output"] = _saying(Answer(410))
            generation = await made.run(generator)
            kind = generation.error.kind if generation.error is not None else generation.phase
            require(
                kind in ("not_found", "expired"),
                f"{generator.id} is {shown(generation)} after its output was gone",
                "Leave the fetching of outputs to the engine.",
            )
            require(made.jobs == 1, "the job was begun again because its output was gone")
    if lacking == len(subject.tried):
        raise _INLINE


@CHECKS.add("output-redirect")
async def output_redirect(subject: ProviderSubject) -> None:
    """A redirect of an output leads no credentials abroad, and nowhere that is private."""
    lacking = 0
    for generator in subject.tried:
        async with rig(subject, abroad=True) as made:
            generation = await _redirected(made, generator)
            if generation is None:
                lacking += 1
                continue
            for call in made.proxy.of("abroad"):
                require(
                    not made.credentials_in(call),
                    f"the credentials followed a redirect to {call.bare_url}",
                    "An output's address holds no key, and an adapter follows no redirects.",
                )
        async with rig(subject) as made:
            generation = await _redirected(made, generator)
            require(
                not made.proxy.of("abroad"),
                f"{generator.id} followed a redirect of its output to a private address",
                "Leave the fetching of outputs to the engine, which checks each address.",
            )
            require(
                generation == "failed",
                f"{generator.id} is {generation} although its output leads to a private address",
            )
    if lacking == len(subject.tried):
        raise _INLINE


async def _redirected(made: Rig, generator: "CompiledGenerator") -> str | None:
    """How a generation ends whose outputs redirect abroad; None where nothing is fetched."""
    there = await made.proxy.abroad(made.server.base_url)
    here = made.proxy.origins[0]

    async def redirect(call: Call) -> Answer:
        return Answer(302, {"Location": call.url.replace(here, there)})

    made.proxy.handlers["output"] = redirect
    generation = await made.run(generator)
    return generation.phase if made.proxy.of("output") else None
