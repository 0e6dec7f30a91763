"""A host that crash tests kill: it makes its calls, follows their events, and waits to the end.

Made again on the same home, it repeats its calls - each has a dedupe key - and resumes each
generation's events after the last one that it was told.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from attrs import frozen

from boards import Boards
from boards.engine import driving, following, limits, recovering
from boards.engine.addresses import AddressPolicy
from boards.engine.transport import AiohttpTransport
from boards.errors import StorageError, StoreError
from boards.generations import Generation
from boards.testing.paid_provider import KEY, generator_document, provider_document
from tests.crash.faults import Fall, Falling, FallingStorage, FallingStore, FallingTransport
from tests.crash.processes import CONTEXT

__all__ = ["CALL", "MODES", "Call", "Host", "Plan", "account", "opened"]

MODES: Final = ("plain", "key", "input", "webhook")
"""How an ambiguous submit can be resolved: not at all; by its idempotency key; by a list of the
jobs, in which its input, or the address of its webhook, tells which one it is."""

CALL: Final = "call"
"""One more mode: by a webhook alone."""

PUBLIC: Final = "https://boards.example/hooks"


@frozen
class Call:
    """One generation that a host asks for.

    Attributes:
        mode: One of :data:`MODES`, or :data:`CALL`; it is also the provider's name.
        prompt: Unique: the provider counts charges by it.
        cancel: Wish it canceled as soon as the provider has it.
    """

    mode: str
    prompt: str
    cancel: bool = False


@frozen
class Plan:
    """What a host does.

    Attributes:
        home: Its directory.
        provider: The address of the paid provider.
        account: The first part of its accounts' names.
        calls: What it asks for.
        slots: ``limits.concurrency``.
        fall: Where it ends by itself.
        busy: Seconds for which its store waits for another that writes.
        store: The class of its store.
        caller: Its name, where several hosts share a home.
        patient: Wait for what is unknown, too.
        prepare: Called first in its process.
    """

    home: Path
    provider: str
    account: str
    calls: tuple[Call, ...] = ()
    slots: int = 4
    fall: Fall | None = None
    busy: float = 10.0
    store: type[FallingStore] = FallingStore
    caller: str = "host"
    patient: bool = False
    prepare: Callable[[], None] | None = None

    @property
    def acknowledged(self) -> Path:
        """The file of the ids that were returned to the caller."""
        return self.home / f"{self.caller}.acknowledged"

    @property
    def told(self) -> Path:
        """The file of the events that the caller was told."""
        return self.home / f"{self.caller}.told"

    @property
    def fell(self) -> Path:
        """Written at the moment of the fall: the prompt of its generation, if it has one."""
        return self.home / f"{self.caller}.fell"

    @property
    def errors(self) -> Path:
        """The file of what held the host's calls up."""
        return self.home / f"{self.caller}.errors"


def account(plan: Plan, mode: str) -> str:
    """The account that a mode has at the paid provider."""
    return f"{plan.account}-{mode}"


def _provider(plan: Plan, mode: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        **provider_document(f"{plan.provider}/{account(plan, mode)}"),
        "retry": {"max": 100, "base": "10ms", "cap": "50ms"},
        "limits": {"concurrency": plan.slots},
    }
    where = {
        "input": {"eq": ["prompt", "${input.prompt}"]},
        "webhook": {"contains": ["webhook", "${run.id}"]},
    }
    if mode in where:
        spec["reconcile"] = {
            "path": "/jobs",
            "each": "body.jobs[*]",
            "where": where[mode],
            "capture": {"id": "id"},
        }
    return spec


def _generator(mode: str) -> dict[str, Any]:
    document = generator_document(mode)
    if mode == "key":
        document["execution"]["submit"]["idempotency"] = {"header": "Idempotency-Key"}
    if mode in ("webhook", CALL):
        document["execution"]["webhook"] = {"verify": {"kind": "none"}}
    return document


def opened(plan: Plan, **parts: Any) -> Boards:
    """Boards as the plan's host has it, but for the parts that are given."""
    modes = {call.mode for call in plan.calls}
    falling = Falling(plan.fall, plan.fell)
    transport = AiohttpTransport(AddressPolicy(allow=True))
    return Boards(
        home=plan.home,
        environment={KEY: "paid-secret"},
        plugins=(),
        webhook_url=PUBLIC,
        providers={mode: _provider(plan, mode) for mode in modes},
        generators=[_generator(mode) for mode in modes],
        **{
            "store": plan.store(plan.home / "boards.db", falling, busy_timeout=plan.busy),
            "storage": FallingStorage(plan.home / "artifacts", falling),
            "transport": FallingTransport(transport, falling),
            **parts,
        },
    )


async def _live(plan: Plan) -> None:
    """Make the calls, and follow each to its end."""
    after: defaultdict[str, int] = defaultdict(int)
    if plan.told.exists():
        for line in plan.told.read_text().splitlines():
            event = json.loads(line)
            after[event["generation"]] = event["id"]
    with contextlib.ExitStack() as files:
        told, ids, errors = (
            files.enter_context(path.open("a", buffering=1))
            for path in (plan.told, plan.acknowledged, plan.errors)
        )
        async with opened(plan) as boards, asyncio.TaskGroup() as calls:
            for call in plan.calls:
                calls.create_task(_follow(plan, boards, call, after, told, ids, errors))


async def _follow(
    plan: Plan,
    boards: Boards,
    call: Call,
    after: dict[str, int],
    told: TextIO,
    ids: TextIO,
    errors: TextIO,
) -> None:
    generation = await _submitted(boards, call, errors)
    ids.write(f"{generation.id}\n")
    while True:
        ending = asyncio.create_task(_ended(boards, generation, errors))
        async for event in boards.events(generation.id, after=after[generation.id]):
            after[generation.id] = event.id
            told.write(json.dumps({"generation": event.generation_id, "id": event.id}) + "\n")
            if call.cancel and event.type == "submitted":
                await boards.cancel(generation.id)
        if (await ending).final or not plan.patient:
            return
        await asyncio.sleep(0.05)


async def _ended(boards: Boards, generation: Generation, errors: TextIO) -> Generation:
    """The generation when it is final or unknown, whatever holds it up meanwhile."""
    while True:
        try:
            return await boards.wait(generation.id)
        except (StoreError, StorageError) as error:
            errors.write(f"{error.message} {error.remedy}\n")
            await asyncio.sleep(0.05)


async def _submitted(boards: Boards, call: Call, errors: TextIO) -> Generation:
    """The generation of a call, which is repeated until it is acknowledged."""
    while True:
        try:
            return await boards.submit(
                f"{call.mode}/draw", prompt=call.prompt, dedupe_key=call.prompt
            )
        except StoreError as error:
            errors.write(f"{error.message} {error.remedy}\n")
            await asyncio.sleep(0.05)


def _impatient() -> None:
    """Shorten the engine's waits for what a test does not want to wait for."""
    recovering._SOON = (0.05, 0.1)  # type: ignore[misc]
    driving._AFTER_TROUBLE = 0.1  # type: ignore[misc]
    limits._COOL_DOWN = (0.1, 0.5)  # type: ignore[misc]
    following._CONTEND = 0.2  # type: ignore[misc]


def run(plan: Plan) -> None:
    """What the process of a host runs."""
    plan.home.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(filename=plan.home / "host.log", level=logging.INFO)
    _impatient()
    if plan.prepare is not None:
        plan.prepare()
    asyncio.run(_live(plan))


class Host:
    """A host in a process of its own.

    Args:
        plan: What it does.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.process = CONTEXT.Process(target=run, args=(plan,), daemon=True)
        self.process.start()

    def kill(self) -> bool:
        """End it by SIGKILL; False if it had ended already."""
        lived = self.process.is_alive()
        self.process.kill()
        self.process.join()
        return lived and self.process.exitcode == -signal.SIGKILL

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def killed(self, seconds: float = 20.0) -> bool:
        """Whether it ended by the fall of its plan."""
        self.process.join(seconds)
        return self.process.exitcode == -signal.SIGKILL

    def finished(self, seconds: float = 30.0) -> bool:
        """Whether it came to the end of its plan."""
        self.process.join(seconds)
        return self.process.exitcode == 0
