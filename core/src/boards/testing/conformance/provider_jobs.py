"""Checks of jobs: begun, asked for, ended, counted."""

import asyncio
from typing import TYPE_CHECKING, Final

from attrs import evolve

from boards.adapters import Adapter, load_adapter
from boards.artifacts import Artifact
from boards.generations import Generation
from boards.spec.model import Deadline, GeneratorSpec
from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.holding import Hold
from boards.testing.conformance.proxy import Answer, Call
from boards.testing.conformance.rig import Rig, rig, shown
from boards.testing.conformance.subject import FAST, ProviderSubject
from boards.testing.conformance.trying import on_each

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_AT_ONCE: Final = 20
_SLOW: Final = evolve(FAST, run_seconds=3.0)
"""Jobs that are still running when they are canceled."""


@CHECKS.add("generates")
async def generates(subject: ProviderSubject) -> None:
    """Every generator brings artifacts of the type that it declares."""
    require(
        subject.compiled,
        f"no generator of {subject.provider} can be tried",
        "Each needs a test that succeeds: see fixtures, and spec-valid.",
    )
    async with rig(subject) as made:
        begun = [await made.submit(one) for one in subject.compiled.values()]
        ended = await asyncio.gather(*(made.end(one) for one in begun))
        failed = [f"{one.generator} is {shown(one)}" for one in ended if one.phase != "succeeded"]
        if failed:
            raise NonconformanceError(f"{'; '.join(failed)}. {made.told()}")
        for one in ended:
            _whole(one)


def _whole(one: Generation) -> None:
    require(one.artifacts, f"{one.generator} succeeded without an artifact")
    for artifact in one.artifacts:
        require(
            artifact.size > 0,
            f"{one.generator} brought an empty artifact",
            "See what extract finds.",
        )
        require(
            artifact.type not in _MEDIA or not _is_text(artifact),
            f"{one.generator} brought {artifact.mime} whose bytes are a text",
            "Decode what the provider sends, in extract (as: base64) or in an adapter's outputs.",
        )
    types = {artifact.type for artifact in one.artifacts}
    require(
        one.artifact_type in types,
        f"{one.generator} declares {one.artifact_type}, and brought {', '.join(sorted(types))}",
        "Mend artifact_type, or extract.",
    )


_MEDIA: Final = frozenset({"image", "audio", "video"})


def _is_text(artifact: Artifact) -> bool:
    """Whether the first bytes of an artifact are printable ASCII: an error, or still encoded."""
    if artifact.path is None or artifact.mime == "image/svg+xml":
        return False
    with artifact.path.open("rb") as file:
        head = file.read(_HEAD)
    return all(byte in _PRINTABLE for byte in head)


_HEAD: Final = 64
_PRINTABLE: Final = frozenset(b"\t\r\n") | frozenset(range(0x20, 0x7F))


@CHECKS.add("ids-distinct")
@on_each()
async def ids_distinct(made: Rig, generator: "CompiledGenerator") -> None:
    """The same request twice is two jobs, each known by an id of its own."""
    ended = [await made.succeed(generator) for _ in range(2)]
    require(made.jobs == 2, f"two generations are {made.jobs} jobs at the server")
    ids = [one.provider_job_id for one in ended]
    require(
        ids[0] is None or ids[0] != ids[1],
        f"two jobs of {generator.id} have one id: {ids[0]}",
        "submit.capture: id has to name what the provider gives each job.",
    )


@CHECKS.add("concurrency")
@on_each()
async def concurrency(made: Rig, generator: "CompiledGenerator") -> None:
    """Twenty at once are twenty jobs, each with its artifacts, within the declared limit."""

    async def unhurried(call: Call) -> Answer:
        await asyncio.sleep(0.03)
        return await call.forward()

    alone = {_content(await made.succeed(generator)) for _ in range(2)}
    made.proxy.handlers["submit"] = unhurried
    begun = await asyncio.gather(*(made.submit(generator) for _ in range(_AT_ONCE)))
    ended = await asyncio.gather(*(made.end(one) for one in begun))
    for one in ended:
        made.expect_success(one, f"with {_AT_ONCE} at once")
        _whole(one)
    jobs = made.jobs - 2
    require(jobs == _AT_ONCE, f"{_AT_ONCE} generations are {jobs} jobs at the server")
    ids = {one.provider_job_id for one in ended}
    require(
        ids == {None} or len(ids) == _AT_ONCE,
        f"{_AT_ONCE} jobs at once have {len(ids)} ids: some got the outputs of others",
        "Keep nothing of a job in the adapter: one instance serves all jobs.",
    )
    # The same input may bring the same bytes each time; then they tell nothing.
    contents = {_content(one) for one in ended}
    require(
        len(alone) == 1 or len(contents) >= _AT_ONCE - _ALIKE,
        f"{_AT_ONCE} jobs at once brought {len(contents)} different outputs: some got those of"
        " others",
        "Keep nothing of a job in the adapter: one instance serves all jobs.",
    )
    limits = made.subject.spec.limits
    limit = limits.concurrency if limits is not None else None
    most = _most_at_once(made.proxy.of("submit"))
    require(
        limit is None or most <= limit,
        f"{most} submits were under way at once, and limits.concurrency is {limit}",
        "Send submits in the stage submit alone: the engine keeps the limit around it.",
    )


def _content(one: Generation) -> tuple[str, ...]:
    """What a generation brought, as the digests of its artifacts."""
    return tuple(artifact.sha256 for artifact in one.artifacts)


_ALIKE: Final = 2
"""Outputs among twenty that may be alike by chance."""


def _most_at_once(calls: list[Call]) -> int:
    times = [(call.at, 1) for call in calls] + [(call.ended or call.at, -1) for call in calls]
    now = most = 0
    for _, change in sorted(times):
        now += change
        most = max(most, now)
    return most


@CHECKS.add("cancel")
@on_each(knobs=_SLOW)
async def cancel(made: Rig, generator: "CompiledGenerator") -> None:
    """A wish to cancel reaches the provider, and the job ends canceled."""
    hold = Hold(made, generator)
    _cancelable(made, generator)
    generation = await made.submit(generator)
    await made.until(lambda: made.proxy.of("poll", "stream"), "the job was to be asked for")
    await made.boards.cancel(generation.id)
    await made.until(
        lambda: [call for call in made.proxy.of("cancel") if call.got is not None],
        f"the provider was to be asked to cancel {generator.id}",
    )
    got = made.proxy.of("cancel")[-1].got
    hold.release()
    hold.expect()
    require(
        got is not None and got.status < 300,
        f"the provider answered {got.status if got else 'nothing'} to the wish to cancel",
        "See cancel: its method, its path, and what it sends.",
    )
    ended = await made.end(generation)
    require(
        ended.phase == "canceled",
        f"{generator.id} is {shown(ended)} after the provider accepted to cancel it",
        "status.map has to lead the provider's word for it to canceled.",
    )


def _cancelable(made: Rig, generator: "CompiledGenerator") -> None:
    adapter = made.subject.spec.adapter
    own = adapter is not None and load_adapter(adapter).cancel is not Adapter.cancel
    if generator.cancel is None and not own:
        raise NotApplicable("the spec declares no cancel")


def _hasty(spec: GeneratorSpec) -> GeneratorSpec:
    return evolve(spec, execution=evolve(spec.execution, deadline=Deadline(0.4, 0.4)))


@CHECKS.add("deadline")
@on_each(knobs=_SLOW, change=_hasty)
async def deadline(made: Rig, generator: "CompiledGenerator") -> None:
    """A job that does not end in time is given up, and canceled at the provider."""
    hold = Hold(made, generator)
    generation = await made.run(generator)
    hold.expect()
    require(
        generation.phase == "expired",
        f"{generator.id} is {shown(generation)} after its deadline",
        "The stage status is one look at the job: it does not wait for its end.",
    )
    try:
        _cancelable(made, generator)
    except NotApplicable:
        return
    require(
        made.proxy.of("cancel"),
        f"{generator.id} was given up at its deadline, and runs on at the provider",
        "See cancel.",
    )
