"""The check that a host which was killed goes on where it was."""

import asyncio
import contextlib
import os
import pickle
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boards.testing.conformance.checks import (
    CheckTable,
    NonconformanceError,
    NotApplicable,
    require,
)
from boards.testing.conformance.proxy import Answer, Call, FaultProxy
from boards.testing.conformance.rig import Rig, fast_provider, played, shown
from boards.testing.conformance.subject import ProviderSubject, succeeding
from boards.testing.conformance.victim import Plan

if TYPE_CHECKING:
    from boards.spec.compile import CompiledGenerator

__all__ = ["CHECKS"]

CHECKS: CheckTable[ProviderSubject] = CheckTable()

_STARTING: Final = 30.0
"""Seconds within which a process has started and submitted."""
_LATER: Final = ("poll", "stream", "result", "output")
"""What follows a submit."""


@CHECKS.add("resume")
async def resume(subject: ProviderSubject) -> None:
    """A job whose host is killed is taken up again: the same job, and nothing paid twice."""
    lacking = 0
    for generator in subject.tried:
        async with _killed(subject, generator) as rig:
            if rig is None:
                lacking += 1
                continue
            (found,) = await rig.boards.list()
            generation = await rig.end(found)
            rig.expect_success(generation, "after its host was killed and began again")
            submits = rig.proxy.of("submit")
            require(
                len(submits) == 1 and rig.jobs == 1,
                f"{generator.id} was submitted {len(submits)} times, and the server has {rig.jobs}"
                f" jobs, after its host was killed ({shown(generation)})",
                "Keep nothing of a job in the adapter's memory: submit.capture is kept for good.",
            )
            for artifact in generation.artifacts:
                path = artifact.path
                whole = path is not None and path.stat().st_size == artifact.size
                require(whole, f"the artifact {artifact.id} is not whole after the restart")
    if lacking == len(subject.tried):
        raise NotApplicable("all of it comes with the reply to the submit: there is no job")


@contextlib.asynccontextmanager
async def _killed(
    subject: ProviderSubject, generator: "CompiledGenerator"
) -> AsyncIterator[Rig | None]:
    """A host begun again after it was killed in the midst of a job; None without such a midst."""
    fixture = succeeding(generator.spec)
    assert fixture is not None  # noqa: S101  # only such are tried
    async with played(subject) as (server, proxy, config):
        with tempfile.TemporaryDirectory(prefix="boards-conformance-") as home:
            needed = dict.fromkeys(subject.needs, "conformance-placeholder-key")
            plan = Plan(
                home=Path(home),
                provider=fast_provider(subject.spec, config),
                generators={generator.id: generator.spec},
                environment={**needed, **server.env, **subject.environment},
                name=subject.provider,
                origins=proxy.origins,
                generator=generator.id,
                input=fixture.input,
            )
            if not await _kill_amidst(plan, proxy):
                yield None
                return
            async with plan.opened() as (boards, transport):
                yield Rig(subject, server, proxy, boards, transport, plan.home, plan.environment)


async def _kill_amidst(plan: Plan, proxy: FaultProxy) -> bool:
    """Kill a host as soon as it asks about its job; False if it never did."""
    asked = asyncio.Event()

    async def stall(_call: Call) -> Answer:
        asked.set()
        await asyncio.Event().wait()  # until the connection is gone with the process
        raise AssertionError

    proxy.handlers |= dict.fromkeys(_LATER, stall)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "boards.testing.conformance.victim",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    ended = asyncio.create_task(process.communicate(pickle.dumps(plan)))
    waited = asyncio.create_task(asyncio.wait_for(asked.wait(), _STARTING))
    try:
        await asyncio.wait({ended, waited}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.is_set() and process.returncode:
            _, told = await ended
            raise NonconformanceError(
                f"A host in a process of its own ended with {process.returncode}:"
                f" {told.decode(errors='replace')[-500:]}",
                "Its adapter has to be importable there.",
            )
    finally:
        waited.cancel()
        if process.returncode is None:
            process.kill()
        await asyncio.gather(ended, waited, return_exceptions=True)
        for role in _LATER:
            proxy.handlers.pop(role, None)
    return asked.is_set()
