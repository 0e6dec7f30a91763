"""What the provider kit tries its checks on: a provider, its generators, and who plays its side."""

import atexit
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import field, frozen

from boards.boards import Boards
from boards.errors import BoardsError, SettingsError, SpecError
from boards.spec.model import Fixture, GeneratorSpec, ProviderSpec
from boards.testing.conformance.checks import NotApplicable
from boards.testing.emulators.server import Knobs

if TYPE_CHECKING:
    from boards.registry import Registry
    from boards.spec.compile import CompiledGenerator

__all__ = ["FAST", "ProviderSubject", "Server", "succeeding"]

FAST: Final = Knobs(queue_seconds=0.02, run_seconds=0.05)
"""How the provider's side behaves where a check says nothing else."""


class Server(Protocol):
    """A provider's side on the loopback interface.

    The shipped emulators are such servers. ``knobs`` may be replaced while it runs; the kit uses
    ``queue_seconds``, ``run_seconds``, ``fail_every`` and ``moderate_every``. A server may also
    have ``jobs``, the number of jobs that it has accepted and would charge for.
    """

    knobs: Knobs
    base_url: str

    @property
    def config(self) -> Mapping[str, Any]:
        """What of the provider's ``config`` leads here; known once it was started."""

    @property
    def env(self) -> Mapping[str, str]:
        """The environment with the credentials that it lets in."""

    async def start(self) -> str:
        """Listen; the base URL."""

    async def stop(self) -> None:
        """Stop listening."""


@cache
def _cache() -> str:
    """A directory for the index of what is installed, read once for all subjects."""
    directory = tempfile.TemporaryDirectory(prefix="boards-conformance-")
    atexit.register(directory.cleanup)
    return directory.name


@frozen(kw_only=True)
class ProviderSubject:
    """A provider to be tried.

    Attributes:
        provider: Its name.
        specs: YAML files that define it; none where it is installed.
        server: Makes a new server of its side, not started; None for one that is made from the
            provider's own fixtures.
        generators: Names of the generators that are tried; all where None.
        representatives: Names of generators that stand for all others wherever a fault is tried;
            one of each way to run a job where None.
        environment: Variables beside those of the server.
        patience: Seconds within which a generation ends, or hangs.
    """

    provider: str
    specs: Sequence[Path] = ()
    server: Callable[[], Server] | None = None
    generators: Sequence[str] | None = None
    representatives: Sequence[str] | None = None
    environment: Mapping[str, str] = field(factory=dict)
    patience: float = 20.0

    @cached_property
    def registry(self) -> "Registry":
        """The provider as its author wrote it: a host's own files do not count."""
        with tempfile.TemporaryDirectory(prefix="boards-conformance-") as home:
            registry = Boards(
                drive=False,
                home=home,
                cache=_cache(),
                environment={},
                generators=list(self.specs),
            ).registry
            registry.providers()  # the index is written now
            return registry

    @cached_property
    def spec(self) -> ProviderSpec:
        """Its effective definition."""
        return self.registry.provider(self.provider).spec

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """The environment variables that it cannot do without."""
        return self.registry.provider(self.provider).needs

    @cached_property
    def names(self) -> list[str]:
        """The ids of the generators that are tried.

        Raises:
            SettingsError: There are none, or one of those that were chosen is not there.
        """
        there = [entry.id for entry in self.registry.generators(provider=self.provider)]
        ids = there if self.generators is None else self._ids(self.generators, there)
        if not ids:
            raise SettingsError(
                f"The provider {self.provider} offers no generator: there is nothing to try.",
                remedy=f"See: boards generators --provider {self.provider}",
            )
        return ids

    def _ids(self, chosen: Sequence[str], there: Sequence[str]) -> list[str]:
        ids = [one if one in there else f"{self.provider}/{one}" for one in chosen]
        lacking = [one for one in ids if one not in there]
        if lacking:
            raise SettingsError(
                f"{self.provider} has no generator {', '.join(lacking)}.",
                remedy=f"There are: {', '.join(there)}",
            )
        return ids

    @cached_property
    def compiled(self) -> "dict[str, CompiledGenerator]":
        """The generators that can be tried, by id: those without mistakes and with a fixture."""
        found = {}
        for id_ in self.names:
            try:
                found[id_] = self.registry.compiled(id_)
            except SpecError:
                continue  # the check of the specification tells
        return {id_: one for id_, one in found.items() if succeeding(one.spec) is not None}

    @cached_property
    def tried(self) -> "list[CompiledGenerator]":
        """The generators that faults are tried on: one of each way to run a job.

        Raises:
            NotApplicable: There is no server to be faulty.
            BoardsError: None can be tried.
        """
        sending = {id_: one for id_, one in self.compiled.items() if _sends(one.spec)}
        if self.compiled and not sending:
            raise NotApplicable("its work is done on this machine: no test of it sends anything")
        chosen = [*sending.values()]
        if self.representatives is not None:
            ids = self._ids(self.representatives, self.names)
            chosen = [sending[id_] for id_ in ids if id_ in sending]
        if not chosen:
            raise BoardsError(
                f"No generator of {self.provider} can be tried: none has a fixture that succeeds,"
                " or all have mistakes.",
                remedy=f"See: boards check, and boards test {self.provider}",
            )
        if self.representatives is not None:
            return chosen
        default = f"{self.provider}/{self.spec.default_generator}"
        chosen.sort(key=lambda one: (one.id != default, _effort(one)))
        ways: dict[tuple[Any, ...], CompiledGenerator] = {}
        for one in chosen:
            ways.setdefault(_way(one), one)
        return list(ways.values())[:_MOST]

    def make_server(self) -> Server:
        """A new server of the provider's side; not started."""
        if self.server is not None:
            return self.server()
        from boards.testing.emulators.declared import DeclaredEmulator  # noqa: PLC0415  # an extra

        generators = [one.spec for one in self.compiled.values()]
        return DeclaredEmulator(self.provider, self.spec, generators)


_MOST: Final = 2
"""Generators that each fault is tried on."""


def succeeding(spec: GeneratorSpec) -> Fixture | None:
    """The first fixture of a generator that succeeds, one without files if there is such."""
    local = spec.execution.type == "adapter"  # it may do without requests
    found = [one for one in spec.tests if one.raises is None and (one.exchanges or local)]
    return min(found, key=_files, default=None)


def _sends(spec: GeneratorSpec) -> bool:
    """Whether its jobs are somebody else's: an adapter may do the work itself."""
    fixture = succeeding(spec)
    return fixture is not None and bool(fixture.exchanges)


def _files(fixture: Fixture) -> int:
    return sum(str(value).startswith("data:") for value in fixture.input.values())


def _effort(one: "CompiledGenerator") -> int:
    fixture = succeeding(one.spec)
    return 0 if fixture is None else _files(fixture)


def _way(one: "CompiledGenerator") -> tuple[Any, ...]:
    """How a generator runs a job, as far as faults are concerned."""
    run = one.run
    kind = "adapter" if run.type == "adapter" else "submit"
    return kind, run.poll is not None, run.stream is not None, run.websocket is not None
