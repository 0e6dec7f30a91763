"""What each request of the engine is for: told to the proxy in a header that it takes off again.

The engine knows whether it submits, polls or fetches; a proxy that reads only HTTP could but
guess, and not at all where an adapter decides.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from boards.engine.addresses import AddressPolicy
from boards.engine.transport import AiohttpTransport, Reply, Request, Socket, UnsentError
from boards.spec.hosts import origin

if TYPE_CHECKING:
    from boards.engine.engine import Engine

__all__ = ["HEADER", "ROLES", "LoopbackTransport", "tell_roles"]

HEADER: Final = "X-Boards-Conformance"
"""The header: a role."""

ROLES: Final = {
    "upload": "upload",
    "submit": "submit",
    "reconcile": "reconcile",
    "status": "poll",
    "result": "result",
    "outputs": "output",
    "cancel": "cancel",
    "verify_webhook": "webhook",
}
"""The role of the requests of each stage; ``output`` for downloads, ``stream`` for events."""

_role: ContextVar[str] = ContextVar("role", default="")


class LoopbackTransport(AiohttpTransport):
    """The engine's own transport, which goes nowhere but to some origins, and tells roles.

    Args:
        allowed: Hosts with ports that the engine may connect to, although they are private.
        known: Tells whether an origin is one of the kit's: nothing else is asked for at all.
    """

    def __init__(self, allowed: tuple[str, ...], known: Callable[[str], bool]) -> None:
        super().__init__(AddressPolicy(allowed))
        self._known = known
        self.refused: list[str] = []
        """Addresses that would have been asked for, outside of the kit."""
        self.running: Counter[str] = Counter()
        """How many stages of each role run now."""

    def only_role(self) -> str | None:
        """The role of a request that an adapter made past this transport, if it is certain."""
        roles = [role for role, stages in self.running.items() if stages]
        return roles[0] if len(roles) == 1 else None

    async def send(self, request: Request) -> Reply:
        self._check(request.url)
        role = _role.get()
        accept = request.headers.get("Accept", "")
        if not role and accept == "text/event-stream":
            role = "stream"
        headers = {**request.headers, HEADER: role} if role else request.headers
        return await super().send(evolve(request, headers=headers))

    async def connect(self, url: str, seconds: float | None) -> Socket:
        self._check(f"http{url.removeprefix('ws')}")
        return await super().connect(url, seconds)

    def _check(self, url: str) -> None:
        if origin(url) is None or self._known(url):
            return
        bare = url.partition("?")[0]
        self.refused.append(bare)
        raise UnsentError(f"{bare} is not at the server of the kit, which reaches no network")


def tell_roles(engine: "Engine", provider: str, running: Counter[str]) -> None:
    """Have the requests of a provider's stages, and the downloads, tell their roles."""
    stages: Any = engine.stages(provider)
    for stage, role in ROLES.items():
        setattr(stages, stage, _telling(role, getattr(stages, stage), running))
    downloader: Any = engine._downloader  # the same package's test kit
    downloader.fetch = _telling("output", downloader.fetch, running)


def _telling(
    role: str, stage: Callable[..., Awaitable[Any]], running: Counter[str]
) -> Callable[..., Awaitable[Any]]:
    async def told(*args: Any, **kwargs: Any) -> Any:
        token = _role.set(role)
        running[role] += 1
        try:
            return await stage(*args, **kwargs)
        finally:
            running[role] -= 1
            _role.reset(token)

    return told
