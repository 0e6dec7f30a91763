"""Checks of what a provider refuses, and of replies that are lost."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.proxy import Answer, Call, Lost
from boards.testing.conformance.refusals import refusal_of
from boards.testing.conformance.rig import Rig, rig, shown
from boards.testing.conformance.subject import FAST, ProviderSubject
from boards.testing.conformance.trying import on_each

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_NOWHERE: Final = "http://127.0.0.1:9/webhooks"
"""A public address where nothing listens: it marks jobs, for reconcile to find them."""
_ALMOST: Final = 0.9
"""Seconds that pass for one, on a busy machine."""


@CHECKS.add("auth-refused")
async def auth_refused(subject: ProviderSubject) -> None:
    """Credentials that are refused are told as such, with a remedy, and not tried again."""
    await _refusing(subject)
    if subject.server is not None and subject.needs:
        await _stranger(subject)


@on_each()
async def _refusing(made: Rig, generator: "CompiledGenerator") -> None:
    for status in (401, 403):
        await _refused(made, generator, status, {"auth"})


async def _stranger(subject: ProviderSubject) -> None:
    """A server of the author's own is asked with a key that it never gave."""
    generator = subject.tried[0]
    wrong = dict.fromkeys(subject.needs, "a-key-that-nobody-gave")
    async with rig(subject, knobs=evolve(FAST, key="the-only-key"), planted=wrong) as made:
        generation = await made.run(generator)
        error = generation.error
        require(
            error is not None and error.kind == "auth",
            f"{generator.id} is {shown(generation)} with a key that the server never gave",
            "A server of your own refuses keys that are not in its env, as the provider does.",
        )


@CHECKS.add("auth-required")
@on_each(abroad=True)
async def auth_required(made: Rig, generator: "CompiledGenerator") -> None:
    """Every request to the provider has its credentials, and no request elsewhere has them."""
    auth = made.subject.spec.auth
    if not made.subject.needs and (auth is None or auth.kind == "none"):
        raise NotApplicable("the provider asks for no credentials")
    await made.move_outputs(generator)
    ended = asyncio.ensure_future(made.run(generator))
    with contextlib.suppress(NonconformanceError):  # a job that hangs for lack of them
        await made.until(lambda: ended.done() or _bare(made), "it was to end", _LONG)
    bare = _bare(made)
    if bare:
        ended.cancel()
        raise NonconformanceError(
            f"{bare[0].role}, {bare[0].method} {bare[0].bare_url}, was sent without credentials",
            "Take out auth: none there, or mend authenticate of the adapter.",
        )
    await ended
    require(made.proxy.of(*_OWN), f"nothing was sent to the provider. {made.told()}")
    for call in made.proxy.of("abroad"):
        require(
            not made.credentials_in(call),
            f"the credentials were sent to a foreign host: {call.method} {call.url}",
            "Outputs at other hosts are fetched without them: fetch_auth: none.",
        )


_OWN: Final = ("submit", "poll", "stream", "result", "reconcile", "cancel")
"""Requests to the provider itself."""
_LONG: Final = 60.0


def _bare(made: Rig) -> list[Call]:
    """The requests to the provider that have no credentials."""
    return [call for call in made.proxy.of(*_OWN) if not made.credentials_in(call)]


def _class_of(
    status: int, kinds: set[str]
) -> Callable[[ProviderSubject], Coroutine[Any, Any, None]]:
    async def trial(made: Rig, generator: "CompiledGenerator") -> None:
        await _refused(made, generator, status, kinds)

    trial.__doc__ = f"A submit that is answered {status} fails as {' or '.join(sorted(kinds))}."
    return on_each()(trial)


_CLASSES: Final = {
    400: {"invalid_input"},
    402: {"quota"},
    404: {"not_found", "invalid_input"},
    422: {"invalid_input"},
    500: {"transient", "provider"},
}
"""HTTP statuses, and the kinds of error that a caller may take them for."""

for _status, _kinds in _CLASSES.items():
    CHECKS.add(f"error-{_status}")(_class_of(_status, _kinds))


async def _refused(made: Rig, generator: "CompiledGenerator", status: int, kinds: set[str]) -> None:
    """A submit that is refused once, and would be accepted if it were sent again."""
    before = len(made.proxy.of("submit"))
    refusal = refusal_of(made.subject, generator, status, kinds)

    async def refuse(call: Call) -> Answer:
        return refusal if call.number == before + 1 else await call.forward()

    made.proxy.handlers["submit"] = refuse
    generation = await made.run(generator)
    sent = len(made.proxy.of("submit")) - before
    require(
        sent == 1,
        f"{generator.id}: a submit that was answered {status} was sent {sent} times",
        "refused: true, or a repetition in an adapter, is for what the provider has not begun.",
    )
    error = generation.error
    require(
        generation.phase == "failed" and error is not None and error.kind in kinds,
        f"{generator.id} is {shown(generation)} after a submit that was answered {status}",
        f"An error rule, or none at all, has to make {' or '.join(sorted(kinds))} of it.",
    )
    assert error is not None  # noqa: S101  # seen above
    require(
        error.message.strip() and error.message != f"HTTP {status}",
        f"the provider told why it answered {status}, and the error says no more than {status}",
        "message: in the error rule names where the provider tells why.",
    )
    if "auth" in kinds:
        require(
            error.remedy.strip(),
            f"the error for {status} tells no remedy",
            "setup: tells how a key is made.",
        )


@CHECKS.add("rate-limited")
@on_each()
async def rate_limited(made: Rig, generator: "CompiledGenerator") -> None:
    """A 429 is waited out, as long as Retry-After says, and then the job is begun once."""

    async def busy(call: Call) -> Answer:
        if call.number == 1:
            return refusal_of(made.subject, generator, 429, {"rate_limited"}, Retry_After="1")
        return await call.forward()

    made.proxy.handlers["submit"] = busy
    generation = await made.succeed(generator, "after a 429 with Retry-After: 1")
    submits = made.proxy.of("submit")
    require(
        len(submits) == 2,
        f"{generation.generator}: after one 429 it was submitted {len(submits)} times, not twice",
    )
    waited = submits[1].at - (submits[0].ended or 0)
    require(
        waited >= _ALMOST,
        f"{generation.generator} submitted again {waited:.2f} s after a 429 with Retry-After: 1",
        "An error rule for 429 needs no `after`: Retry-After is read by itself.",
    )
    require(made.jobs == 1, f"the server has {made.jobs} jobs, and one was wanted")


@CHECKS.add("lost-submit")
async def lost_submit(subject: ProviderSubject) -> None:
    """A submit whose reply is lost is never sent again without a key that the provider knows."""
    for generator in subject.tried:
        for how in _LOSSES:
            async with rig(subject, webhook_url=_NOWHERE) as made:
                await _lose(made, generator, how)


_LOSSES: Final = {
    "drop": "the connection broke",
    "gateway": "a gateway answered 502",
}


async def _lose(made: Rig, generator: "CompiledGenerator", how: str) -> None:
    async def lose(call: Call) -> Answer:
        reply = await call.forward()
        if call.number > 1:
            return reply
        if how == "drop":
            raise Lost
        return Answer(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")

    made.proxy.handlers["submit"] = lose
    generation = await made.run(generator)
    submits = made.proxy.of("submit")
    where = f"{generator.id}: {_LOSSES[how]} after the submit had arrived"
    recognised = any(one.idempotency is not None for one in generator.submits)
    if not recognised:
        require(
            len(submits) == 1,
            f"{where}, and it was sent {len(submits)} times: that many are paid",
            "Never repeat a submit: leave it to the engine, which looks for the job.",
        )
    require(
        made.jobs == 1,
        f"{where}, and the server has {made.jobs} jobs",
        "idempotency: is for providers that know a key again; without it nothing is repeated.",
    )
    looked = made.proxy.of("reconcile")
    if generation.phase == "unknown" and not looked and not recognised:
        return
    require(
        generation.phase == "succeeded" or (generation.phase == "unknown" and not looked),
        f"{where}, and then it is {shown(generation)}",
        "Let reconcile find the job that was begun with run.webhook_url, and a key be known again.",
    )
    for other in submits[1:]:
        require(
            (_said(other), other.body) == (_said(submits[0]), submits[0].body),
            f"{where}, and what was sent then is another request: its key, or its body, differs",
            "The key is run.idempotency_key, or run.uuid, and nothing in a submit is random.",
        )


def _said(call: Call) -> dict[str, str]:
    """The headers of a call, but for what is of its connection."""
    return {name: value for name, value in call.headers.items() if name.lower() != "connection"}
