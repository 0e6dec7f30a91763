"""The state machine: what a step may do to a generation.

Every transition is one compare-and-set, so that a second process, or a second call, changes nothing
twice. Which step is next is for :mod:`boards.engine.driving`.
"""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import evolve, frozen

from boards.adapters import Job, Stages
from boards.engine.accounting import Accounts
from boards.engine.download import Fetcher
from boards.engine.files import read_file
from boards.engine.flight import Flight
from boards.engine.orphans import own_attempt
from boards.engine.rest import ProviderClient
from boards.engine.uploading import Uploads
from boards.engine.webhooks import Addresses
from boards.errors import BoardsError, Failure, ProviderErrorKind
from boards.events import FailedData, Happening
from boards.generations import Attempt, Generation, Phase
from boards.logs import Logger
from boards.runner import Done
from boards.spec.compile import CompiledGenerator
from boards.storage import Storage
from boards.store import Change, Store

if TYPE_CHECKING:
    import asyncio

__all__ = ["Machine", "Submissions", "failed"]

_log = Logger("boards.engine")

_QUOTING: Final = frozenset({"log", "retrying", "fallback", "unknown"})
"""Events that quote a provider."""


class Submissions(Protocol):
    """What the machine asks of the plugins' hooks."""

    def before_submit(self, generation: Generation, request: Any) -> None:
        """Raises to veto a submit."""


@frozen
class Machine:
    """What all steps share: the truth, the providers, and the transitions.

    Args:
        store: The truth.
        storage: The artifacts' bytes.
        client: The client of a provider instance, by name.
        stages: What is done at each stage: what the provider's spec says, or its adapter.
        compiled: The compiled generator, by full id.
        downloader: Fetches outputs.
        max_output: Bytes that an output may have at most that comes with a reply.
        hooks: The plugins' say before a submit; None where no plugin has one.
        trouble: Told when a local fault holds a generation up; nothing of it is lost.
        wake: Has a generation driven at once.
        addresses: Of webhooks; None where no public address is set.
        accounts: The ledger's part of each transition, and the budgets.
        uploads: Files that are at providers already.
        attempted: Told of an attempt that is committed, as it was before and as it is.
    """

    store: Store
    storage: Storage
    client: Callable[[str], ProviderClient]
    stages: Callable[[str], Stages]
    compiled: Callable[[str], CompiledGenerator]
    downloader: Fetcher
    max_output: int
    hooks: Submissions | None
    trouble: Callable[[Generation, BoardsError], None]
    wake: Callable[[str], None]
    addresses: Addresses | None
    accounts: Accounts
    uploads: Uploads
    flights: dict[str, Flight]
    critical: set["asyncio.Task[Any]"]
    attempted: Callable[[Generation, Attempt | None, Attempt], None] | None = None

    async def board(self, generation: Generation) -> Flight:
        """A flight for a generation in the store.

        Raises:
            BoardsError: Its generator is not installed any more, or has mistakes.
        """
        flight = await self.look_at(generation)
        self.flights[generation.id] = flight
        return flight

    async def look_at(self, generation: Generation) -> Flight:
        """A flight that nobody drives: see :meth:`board`."""
        flight = Flight(generation, self.compiled(generation.generator), addresses=self.addresses)
        if generation.phase != "queued":
            await self.remember_attempt(flight)
        return flight

    async def remember_attempt(self, flight: Flight) -> None:
        """Have a flight know the attempt that the store has."""
        attempts = await self.store.attempts(flight.generation.id)
        flight.attempt = own_attempt(flight.generation, attempts)

    def job(self, flight: Flight) -> Job:
        """What a stage is told of a flight."""
        provider = flight.generation.provider
        scope = flight.scope(self.client(provider).config)
        read = functools.partial(read_file, self.storage, fetcher=self.downloader)
        return Job(flight.generation, flight.compiled, scope, read)

    async def commit(
        self,
        flight: Flight,
        phase: Phase,
        *happenings: Happening,
        attempt: Attempt | None = None,
        fenced: bool = True,
        claims: bool = False,
        charged: bool = False,
        **changes: Any,
    ) -> bool:
        """One transition of a flight, durable when this returns; False if it was elsewhere.

        Only the process that drives may make one that is ``fenced``. One that ``claims`` a job
        raises :class:`boards.errors.ClaimedError` where another generation has it. With
        ``charged`` the attempt that failed may have been charged.
        """
        before = flight.generation
        if flight.told is not None:
            changes.setdefault("cost", flight.told)
        after = evolve(before, phase=phase, due_at=changes.pop("due_at", None), **changes)
        entry = self.accounts.entry(before, after, attempt or flight.attempt, charged=charged)
        moved = after.generator != before.generator
        told = self._told(flight, happenings)
        applied = await self.store.cas(
            Change(
                before.phase, after, told, attempt, entry, moved=moved, claims=claims, fenced=fenced
            )
        )
        if applied:
            flight.generation = evolve(
                after, canceling=after.canceling or flight.generation.canceling
            )
            if attempt is not None:
                if self.attempted is not None:
                    self.attempted(before, flight.attempt, attempt)
                flight.attempt = attempt
            return True
        now = await self.store.get(before.id)
        if now is not None:
            flight.generation = now
            await self.remember_attempt(flight)
        return False

    async def note(self, flight: Flight, *happenings: Happening) -> None:
        """Keep the progress of a flight, without waiting for the disk."""
        await self.store.note(flight.generation, self._told(flight, happenings))

    def _scrub(self, flight: Flight, text: str) -> str:
        """A text without the provider's secrets, and without what its webhook is known by."""
        attempt, addresses = flight.attempt, flight.addresses
        if attempt is not None and attempt.token_hash is not None and addresses is not None:
            text = text.replace(addresses.token(attempt.uuid), "***")
        return self.client(flight.generation.provider).scrub(text)

    def _told(self, flight: Flight, happenings: tuple[Happening, ...]) -> tuple[Happening, ...]:
        """Events whose words are not ours: without the provider's secrets."""
        if not any(one.type in _QUOTING for one in happenings):
            return happenings
        scrub = functools.partial(self._scrub, flight)
        return tuple(
            evolve(one, data={key: _scrubbed(value, scrub) for key, value in one.data.items()})
            for one in happenings
        )

    async def fail(
        self,
        flight: Flight,
        kind: ProviderErrorKind,
        message: str,
        *,
        remedy: str = "",
        maybe_charged: bool = False,
        phase: Phase = "failed",
        attempt: Attempt | None = None,
        fenced: bool = True,
    ) -> Done:
        """End a flight without a result.

        Args:
            flight: Which.
            kind: Why.
            message: In words.
            remedy: What mends it; by its kind where it is empty.
            maybe_charged: Whether its last attempt may have been charged.
            phase: ``failed`` or ``expired``.
            attempt: Its last attempt, where that changes.
            fenced: See :meth:`commit`.
        """
        lost = maybe_charged or await self.lost_before(flight, attempt or flight.attempt)
        scrub = functools.partial(self._scrub, flight)
        failure = Failure(
            kind,
            scrub(message),
            scrub(remedy) or default_remedy(kind, flight.generation),
            retryable=kind in ("rate_limited", "transient", "timeout"),
            maybe_charged=lost,
        )
        await self.commit(
            flight,
            phase,
            failed(failure),
            attempt=attempt,
            fenced=fenced,
            charged=maybe_charged,
            error=failure,
            finished_at=time.time(),
        )
        return Done()

    async def lost_before(self, flight: Flight, last: Attempt | None) -> bool:
        """Whether an attempt before the last one may have been charged: its answer was lost."""
        queued = flight.generation.phase == "queued"
        if last is None or (last.number == 1 and not queued):
            return False
        return any(
            one.outcome in ("ambiguous", "accepted")
            for one in await self.store.attempts(last.generation_id)
            if queued or one.number < last.number
        )

    async def give_up(
        self,
        generation: Generation,
        phase: Phase,
        *happenings: Happening,
        error: Failure | None = None,
        fenced: bool = True,
    ) -> bool:
        """End a generation that cannot be driven: its generator is gone, or has mistakes."""
        attempts = await self.store.attempts(generation.id)
        last = attempts[-1] if attempts else None
        after = evolve(generation, phase=phase, error=error, finished_at=time.time(), due_at=None)
        entry = self.accounts.entry(generation, after, last, charged=error is not None)
        given_up = last if last is None or error is None else evolve(last, outcome="abandoned")
        change = Change(generation.phase, after, happenings, given_up, entry, fenced=fenced)
        return await self.store.cas(change)

    async def canceled(self, flight: Flight, *, upstream: bool) -> Done:
        """End a flight as canceled; ``upstream`` tells whether the provider said so."""
        await self.commit(
            flight,
            "canceled",
            Happening("canceled", {"upstream": upstream}),
            finished_at=time.time(),
        )
        return Done()


def failed(failure: Failure) -> Happening:
    """The event of an end without a result."""
    data: FailedData = {
        "kind": failure.kind,
        "message": failure.message,
        "remedy": failure.remedy,
        "retryable": failure.retryable,
        "maybe_charged": failure.maybe_charged,
    }
    return Happening("failed", data)


def _scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_scrubbed(one, scrub) for one in value]
    return scrub(value) if isinstance(value, str) else value


def default_remedy(kind: ProviderErrorKind, generation: Generation) -> str:
    """What to do about an error kind that came without advice."""
    provider, generator = generation.provider, generation.generator
    match kind:
        case "auth":
            return f"Check the key: boards providers {provider} --check"
        case "quota":
            return f"Add credit or raise the limit of the account at {provider}."
        case "invalid_input":
            return f"See what is allowed: boards show {generator}"
        case "moderated":
            return "Change the prompt or the input files."
        case "rate_limited" | "transient" | "timeout":
            return "Generate again later."
        case "not_found":
            return f"Check that the model still exists: boards show {generator}"
        case "expired":
            return "Generate again; fetch sooner."
        case _:
            return ""
