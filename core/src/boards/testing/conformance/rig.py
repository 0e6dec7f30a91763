"""A host under test: the real engine, over real sockets, against a server behind the proxy."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve

from boards.boards import Boards
from boards.engine.scrubbing import forms
from boards.generations import Generation
from boards.spec.hosts import origin
from boards.spec.model import GeneratorSpec, Poll, ProviderSpec, Retry
from boards.testing.conformance.checks import NonconformanceError
from boards.testing.conformance.proxy import Answer, Call, FaultProxy
from boards.testing.conformance.roles import LoopbackTransport, tell_roles
from boards.testing.conformance.subject import FAST, ProviderSubject, Server, succeeding

if TYPE_CHECKING:
    from boards.events import AnyEvent
    from boards.spec.compile import CompiledGenerator
    from boards.testing.emulators.server import Knobs

__all__ = ["Rig", "host", "rig"]

_EVERY: Final = 0.02
"""Seconds between two polls, whatever the spec says."""
_RETRY: Final = (0.01, 0.1)
"""Seconds before a submit or a cancel is repeated: the first wait, and the longest."""

Change = Callable[[GeneratorSpec], GeneratorSpec]


@define(eq=False)
class Rig:
    """All that a check works with.

    Attributes:
        subject: What is tried.
        server: Plays the provider's side.
        proxy: Stands before it.
        boards: The host.
        transport: The host's.
        home: The host's directory.
        environment: The host's: the credentials.
    """

    subject: ProviderSubject
    server: Server
    proxy: FaultProxy
    boards: Boards
    transport: LoopbackTransport
    home: Path
    environment: Mapping[str, str]

    @property
    def secrets(self) -> list[str]:
        """The credentials' values."""
        return [value for value in self.environment.values() if len(value) >= _SHORTEST]

    async def submit(self, generator: "CompiledGenerator", **options: Any) -> Generation:
        """Begin a generation with the input of the generator's fixture."""
        fixture = succeeding(generator.spec)
        assert fixture is not None  # noqa: S101  # only such are tried
        return await self.boards.submit(generator.id, input=fixture.input, **options)

    async def end(self, generation: Generation) -> Generation:
        """The generation as it ended, or was called unknown.

        Raises:
            NonconformanceError: It did neither.
        """
        try:
            async with asyncio.timeout(self.subject.patience):
                return await self.boards.wait(generation.id)
        except TimeoutError:
            now = await self.boards.get(generation.id)
            raise NonconformanceError(
                f"{generation.generator} is {now.phase} after {self.subject.patience:g} s:"
                f" {self.told()}",
                "See that status.map and extract are right, and that the server ends its jobs.",
            ) from None

    async def run(self, generator: "CompiledGenerator", **options: Any) -> Generation:
        """Begin a generation, and wait for its end."""
        return await self.end(await self.submit(generator, **options))

    async def succeed(self, generator: "CompiledGenerator", despite: str = "") -> Generation:
        """Begin a generation, which has to succeed.

        Raises:
            NonconformanceError: It does not.
        """
        generation = await self.run(generator)
        self.expect_success(generation, despite)
        return generation

    def expect_success(self, generation: Generation, despite: str = "") -> None:
        """Make sure that a generation succeeded.

        Raises:
            NonconformanceError: It did not.
        """
        if generation.phase != "succeeded":
            after = f" {despite}" if despite else ""
            raise NonconformanceError(
                f"{generation.generator} is {shown(generation)}{after}, and was to succeed."
                f" {self.told()}",
                generation.error.remedy if generation.error is not None else "",
            )

    async def events(self, generation: Generation) -> "list[AnyEvent]":
        """What happened to a generation so far."""
        return [one async for one in self.boards.events(generation.id, follow=False)]

    @property
    def jobs(self) -> int:
        """How many jobs the server has accepted."""
        told = getattr(self.server, "jobs", None)
        if told is None:
            stats = getattr(self.server, "stats", {})
            told = stats.get("jobs")
        return int(told) if told is not None else len(self.accepted)

    @property
    def accepted(self) -> list[Call]:
        """The submits that the server answered with success."""
        said = [(call, call.said) for call in self.proxy.of("submit")]
        return [call for call, answer in said if answer is not None and answer.status < 300]

    def credentials_in(self, call: Call) -> bool:
        """Whether a call has the provider's credentials, in any form."""
        text = call.text
        if any(form in text for secret in self.secrets for form in forms(secret)):
            return True
        auth = self.subject.spec.auth
        # A token that was made of a secret does not show it.
        return (
            auth is not None
            and auth.kind == "jwt_hs256"
            and call.headers.get("Authorization", "").startswith("Bearer ")
        )

    async def move_outputs(self, generator: "CompiledGenerator") -> str:
        """Have the provider say that its outputs are at a foreign host, which has them.

        Returns:
            The host's origin.
        """
        here = self.proxy.origins[0]
        there = await self.proxy.abroad(self.server.base_url)

        async def moved(call: Call) -> Answer:
            reply = await call.forward()
            if reply.status >= 300 or reply.json is None:
                return reply
            body = reply.body
            for found in generator.outputs(reply.value):
                if found.form == "url" and isinstance(found.value, str) and found.request is None:
                    away = found.value.replace(here, there)
                    body = body.replace(found.value.encode(), away.encode())
            return evolve(reply, body=body)

        self.proxy.handlers |= dict.fromkeys(("submit", "poll", "result"), moved)
        return there

    async def until(self, true: Callable[[], object], what: str, seconds: float = 10.0) -> None:
        """Wait until something is true.

        Raises:
            NonconformanceError: It is not in time; ``what`` was to happen.
        """
        loop = asyncio.get_running_loop()
        seconds = min(seconds, self.subject.patience)
        ends = loop.time() + seconds
        while not true():
            if loop.time() > ends:
                raise NonconformanceError(f"{what} within {seconds:g} s. {self.told()}")
            await asyncio.sleep(0.005)

    def told(self) -> str:
        """The last calls, for a message."""
        if self.transport.refused:
            return (
                f"It asked for {self.transport.refused[-1]}, which is not at the server: an address"
                " that is not in config cannot be pointed elsewhere."
            )
        if not self.proxy.calls:
            return "Nothing was sent."
        lines = [
            f"{call.role} {call.method} {call.bare_url}"
            f" {call.got.status if call.got is not None else '(no reply)'}"
            for call in self.proxy.calls[-3:]
        ]
        return f"The last calls: {'; '.join(lines)}."


_SHORTEST: Final = 8
"""Characters from which a value of the environment is taken for a secret."""


def shown(generation: Generation) -> str:
    """How a generation stands, with its error."""
    error = generation.error
    return (
        generation.phase if error is None else f"{generation.phase} ({error.kind}: {error.message})"
    )


@contextlib.asynccontextmanager
async def rig(
    subject: ProviderSubject,
    *,
    knobs: "Knobs" = FAST,
    environment: Mapping[str, str] | None = None,
    planted: Mapping[str, str] | None = None,
    change: Change | None = None,
    abroad: bool = False,
    direct: bool = False,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """Start a server and the proxy, and open a host.

    Args:
        subject: What is tried.
        knobs: How the server behaves.
        environment: Instead of what the server says.
        planted: Further variables, which win.
        change: Changes each generator's spec: a deadline, say.
        abroad: Whether the host may connect to any port of this machine.
        direct: Whether it may ask the server past the proxy: what a webhook tells was said past it.
        settings: Of the host.
    """
    async with contextlib.AsyncExitStack() as stack:
        server, proxy, config = await stack.enter_async_context(played(subject, knobs))
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="boards-conformance-"))
        if environment is None:
            environment = {**server.env, **subject.environment}
        needed = dict.fromkeys(subject.needs, PLACEHOLDER)
        environment = {**needed, **environment, **(planted or {})}
        own = (server.base_url,) if direct else ()
        opened = host(
            Path(home),
            fast_provider(subject.spec, config),
            {id_: one.spec for id_, one in subject.compiled.items()},
            environment,
            subject.provider,
            allowed=("127.0.0.0/8",) if abroad else (*proxy.ports, *_hosts(own)),
            known=lambda url: proxy.knows(url) or origin(url) in map(origin, own),
            change=change,
            **settings,
        )
        boards, transport = await stack.enter_async_context(opened)
        proxy.unnamed = transport.only_role
        yield Rig(subject, server, proxy, boards, transport, Path(home), environment)


def _hosts(origins: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.partition("://")[2] for one in origins)


PLACEHOLDER: Final = "conformance-placeholder-key"
"""A credential where the server names none."""


@contextlib.asynccontextmanager
async def played(
    subject: ProviderSubject, knobs: "Knobs" = FAST
) -> AsyncIterator[tuple[Server, FaultProxy, dict[str, Any]]]:
    """Start a server and the proxy before it; with the config that leads to the proxy."""
    server = subject.make_server()
    server.knobs = knobs
    proxy = FaultProxy()
    async with contextlib.AsyncExitStack() as stack:
        await server.start()
        stack.push_async_callback(server.stop)
        await proxy.start()
        stack.push_async_callback(proxy.stop)
        config = {name: await _proxied(proxy, value) for name, value in server.config.items()}
        yield server, proxy, config


async def _proxied(proxy: FaultProxy, value: Any) -> Any:
    """A value of config, led through the proxy where it is an address."""
    if not isinstance(value, str):
        return value
    scheme = "ws" if value.startswith("ws") else "http"
    found = origin(f"http{value.removeprefix('ws')}" if scheme == "ws" else value)
    if found is None:
        return value
    await proxy.stand_for(f"{found[0]}://{found[1]}:{found[2]}")
    return proxy.stands_for(value)


def fast_provider(spec: ProviderSpec, config: Mapping[str, Any]) -> ProviderSpec:
    """A provider pointed elsewhere, which repeats as often as it says, but sooner."""
    retry = Retry(max=(spec.retry or Retry()).max, base=_RETRY[0], cap=_RETRY[1])
    return evolve(spec, config={**spec.config, **config}, retry=retry)


def fast_generator(spec: GeneratorSpec) -> GeneratorSpec:
    """A generator whose polls follow each other at once."""
    poll = spec.execution.poll
    if poll is None:
        return spec
    soon: Poll = evolve(poll, every=_EVERY, backoff=1.0, max_every=_EVERY, after=None)
    return evolve(spec, execution=evolve(spec.execution, poll=soon))


@contextlib.asynccontextmanager
async def host(
    home: Path,
    provider: ProviderSpec,
    generators: Mapping[str, GeneratorSpec],
    environment: Mapping[str, str],
    name: str,
    *,
    allowed: tuple[str, ...],
    known: Callable[[str], bool],
    change: Change | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Boards, LoopbackTransport]]:
    """Open a host that knows one provider, and reaches nothing but the kit.

    Args:
        home: Its directory.
        provider: As :func:`fast_provider` made it.
        generators: By id.
        environment: The credentials.
        name: Of the provider.
        allowed: Addresses that it may connect to, although they are private.
        known: Tells whether an address is one of the kit's; it asks for no other.
        change: Changes each generator's spec.
        settings: Of the host.
    """
    specs = [fast_generator(one) for one in generators.values()]
    transport = LoopbackTransport(allowed, known)
    boards = Boards(
        home=home,
        cache=home / "cache",
        environment=environment,
        plugins=(),
        providers={name: provider},
        generators=specs if change is None else [change(one) for one in specs],
        transport=transport,
        **{"allow_private_hosts": allowed, **settings},
    )
    async with boards:
        tell_roles(boards._running, name, transport.running)  # the same package's test kit
        yield boards, transport
