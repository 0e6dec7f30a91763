"""Adapters: what the generator language cannot say about a provider, said in Python.

A provider's definition names its adapter as ``adapter: package.module:Class``; the class is
imported when the provider is first used. Every stage that it does not override does what the spec
says.
"""

import functools
import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from attrs import frozen

from boards.availability import Availability
from boards.errors import PluginError

if TYPE_CHECKING:
    from boards.engine.rest import ProviderClient
    from boards.engine.transport import Request
    from boards.generations import Generation
    from boards.settings import Settings
    from boards.spec.compile import CompiledGenerator
    from boards.spec.model import ProviderSpec
    from boards.spec.replies import Found, ReplyValue
    from boards.spec.requests import FilePart, Rendered
    from boards.spec.tokens import Scope

__all__ = ["Adapter", "Job", "Stages", "availability_of", "load_adapter", "reply"]


@frozen
class Job:
    """What a stage knows of a generation.

    Attributes:
        generation: As the store has it.
        compiled: Its generator, ready to run.
        scope: The roots of the language: ``input``, ``let``, ``config``, ``run``; after the
            submit also ``job`` (what was captured) and ``prev`` (the reply before).
        read: Reads a file input, given as the generation's input has it.
    """

    generation: "Generation"
    compiled: "CompiledGenerator"
    scope: "Scope"
    read: "Callable[[str], Awaitable[FilePart]]"

    @property
    def input(self) -> Mapping[str, Any]:
        """The input, after defaults."""
        found: Mapping[str, Any] = self.scope["input"]
        return found


def reply(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> "ReplyValue":
    """A reply as stages return it: what paths such as ``body.state`` start at."""
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return {"status": status, "header": lower, "body": body}


class Stages(Protocol):
    """The stages of a provider, in the order in which a generation meets them."""

    repeatable: ClassVar[bool]

    async def prepare(self, job: Job, request: "Rendered") -> "Rendered":
        """Change a submit before its credentials are added. Nothing is committed yet."""

    async def authenticate(self, request: "Request") -> "Request":
        """Add the credentials to a request whose host is trusted."""

    async def upload(self, job: Job, file: "FilePart") -> str:
        """Put an input file where the provider can fetch it: its URL, or what stands for one."""

    async def submit(self, job: Job, request: "Rendered | None") -> "ReplyValue":
        """Begin the job; called once for each attempt, after its intent was committed.

        Args:
            job: The generation.
            request: As the spec says it; None where the spec says ``type: adapter``.

        Raises:
            ProviderError: The provider refused: nothing runs.
            UnsentError: Nothing was sent: the engine may try again.
            LostReplyError: Whether it began cannot be told.
        """

    async def reconcile(self, job: Job) -> list[dict[str, Any]] | None:
        """Find a job whose submit's reply was lost: what was captured of each that may be it.

        None where this provider offers no way to look.
        """

    async def status(self, job: Job) -> "ReplyValue":
        """Ask how the job is."""

    async def result(self, job: Job, told: "ReplyValue") -> "ReplyValue":
        """The reply that has the outputs; ``told`` is the one that said it succeeded."""

    async def outputs(self, job: Job, told: "ReplyValue") -> "list[Found]":
        """The outputs in the result."""

    async def cancel(self, job: Job) -> None:
        """Ask the provider to stop the job. What it says next is believed."""

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        """Make sure that a webhook comes from the provider; raise ``WebhookError`` otherwise."""


class Adapter:
    """A provider's stages in Python. Override those that the language cannot say.

    Example:
        >>> class AcmeAdapter(Adapter):
        ...     async def prepare(self, job, request):
        ...         headers = {**request.headers, "X-Trace": job.generation.id}
        ...         return evolve(request, headers=headers)

    Attributes:
        repeatable: A submit may be sent again after a crash: it costs nothing, because the work
            is done on this machine, say.
        client: Sends requests with the provider's credentials, to its hosts only.

    Args:
        stages: What the spec says, for ``super()`` and for all that is not overridden.
        client: The provider's client.
    """

    repeatable: ClassVar[bool] = False

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        for name, stage in [*vars(cls).items()]:
            if name in _STAGES and inspect.iscoroutinefunction(stage):
                setattr(cls, name, _without_exit(stage))

    def __init__(self, stages: Stages, client: "ProviderClient") -> None:
        self._stages = stages
        self.client = client

    @classmethod
    def available(cls, provider: "ProviderSpec", settings: "Settings") -> Availability:
        """Whether the provider can be used now. Listings ask: neither wait nor use the network."""
        return Availability(True)

    async def prepare(self, job: Job, request: "Rendered") -> "Rendered":
        """See :meth:`Stages.prepare`."""
        return await self._stages.prepare(job, request)

    async def authenticate(self, request: "Request") -> "Request":
        """See :meth:`Stages.authenticate`."""
        return await self._stages.authenticate(request)

    async def upload(self, job: Job, file: "FilePart") -> str:
        """See :meth:`Stages.upload`."""
        return await self._stages.upload(job, file)

    async def submit(self, job: Job, request: "Rendered | None") -> "ReplyValue":
        """See :meth:`Stages.submit`."""
        return await self._stages.submit(job, request)

    async def reconcile(self, job: Job) -> list[dict[str, Any]] | None:
        """See :meth:`Stages.reconcile`."""
        return await self._stages.reconcile(job)

    async def status(self, job: Job) -> "ReplyValue":
        """See :meth:`Stages.status`."""
        return await self._stages.status(job)

    async def result(self, job: Job, told: "ReplyValue") -> "ReplyValue":
        """See :meth:`Stages.result`."""
        return await self._stages.result(job, told)

    async def outputs(self, job: Job, told: "ReplyValue") -> "list[Found]":
        """See :meth:`Stages.outputs`."""
        return await self._stages.outputs(job, told)

    async def cancel(self, job: Job) -> None:
        """See :meth:`Stages.cancel`."""
        await self._stages.cancel(job)

    async def verify_webhook(self, job: Job, headers: Mapping[str, str], body: bytes) -> None:
        """See :meth:`Stages.verify_webhook`."""
        await self._stages.verify_webhook(job, headers, body)


_STAGES: Final = frozenset(name for name in vars(Stages) if not name.startswith("_"))


def _without_exit(stage: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A stage that cannot end its host: asyncio lets a SystemExit out of the event loop."""

    @functools.wraps(stage)
    async def without_exit(*args: Any, **given: Any) -> Any:
        try:
            return await stage(*args, **given)
        except SystemExit as error:
            raise RuntimeError(f"{stage.__qualname__} raised SystemExit({error.code!r})") from error

    return without_exit


def load_adapter(name: str) -> type[Adapter]:
    """Import the class that a provider's ``adapter`` names.

    Args:
        name: ``package.module:Class``.

    Raises:
        PluginError: It cannot be imported, or is no adapter.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a plugin's code does when it is imported
        raise PluginError(
            f"The adapter {name} cannot be imported: {type(error).__name__}: {error}",
            remedy=f"Mend it, then see: python -c 'import {module}'",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise PluginError(
            f"{name} is no adapter.", remedy="Derive it from boards.adapters.Adapter."
        )
    return found


def availability_of(name: str, provider: "ProviderSpec", settings: "Settings") -> Availability:
    """What an adapter says of its provider.

    Args:
        name: ``package.module:Class``.
        provider: The provider.
        settings: Of the host.

    Raises:
        PluginError: It cannot be imported, is no adapter, or does not answer.
    """
    adapter = load_adapter(name)
    remedy = f"Mend {name}: available() returns an Availability."
    try:
        found: Any = adapter.available(provider, settings)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # one plugin's mistake must not end a listing
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        raise PluginError(
            f"The adapter {name} cannot tell whether it is available: {told}", remedy=remedy
        ) from error
    if not isinstance(found, Availability):
        raise PluginError(
            f"The adapter {name} cannot tell whether it is available:"
            f" it returned {type(found).__name__}",
            remedy=remedy,
        )
    return found
