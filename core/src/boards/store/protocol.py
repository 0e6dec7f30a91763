"""What the engine asks of a store.

A store is the truth: every transition of a generation is one compare-and-set, committed with
its events and its attempt in one transaction, durable when the call returns.
"""

import builtins
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from attrs import frozen

from boards.budgets import CostGroup, Entry, Grouping, Reserve
from boards.events import Event, Happening
from boards.generations import Attempt, Generation, Outcome, Phase, Status
from boards.lineage import Source

__all__ = ["Change", "Listing", "Store"]


@frozen
class Change:
    """One transition: all of it is committed, or nothing.

    Attributes:
        expect: The phase that the generation must be in, or the change does not apply.
        generation: The generation as it is afterwards.
        happenings: Events, committed with it, in order.
        attempt: An attempt to insert, or to replace by its number.
        entry: What the ledger notes of it: the price of ``attempt`` is reserved, or that of an
            earlier one settled or released. An attempt that is not reserved any more is not
            released. It is settled if it was released, or if a price is told and none was.
        moved: It went to another generator of another provider, with the input for that one.
        claims: Its job was found, not begun: it must be no other generation's.
        fenced: Apply only while this process owns the store: a driver's writes are fenced by
            the owner's epoch, so that two owners cannot both submit.
    """

    expect: Phase
    generation: Generation
    happenings: Sequence[Happening] = ()
    attempt: Attempt | None = None
    entry: Entry | None = None
    moved: bool = False
    claims: bool = False
    fenced: bool = True


@frozen
class Listing:
    """Which generations to list, newest first.

    Attributes:
        owner: Whose; a store never answers across owners.
        statuses: Only these; all when empty.
        phases: Only these; all when empty.
        generator: A full id, or None.
        provider: A provider instance, or None.
        limit: At most so many.
        before: An id: only generations older than it (paging).
    """

    owner: str = ""
    statuses: Sequence[Status] = ()
    phases: Sequence[Phase] = ()
    generator: str | None = None
    provider: str | None = None
    limit: int = 50
    before: str | None = None


class Store(Protocol):
    """Generations, attempts and events. Every method may raise :class:`boards.errors.StoreError`.

    Methods that write return once the write is durable; concurrent writes share a transaction.
    """

    async def open(self) -> None:
        """Create or migrate the schema. A database of a newer version is refused, untouched."""

    async def close(self) -> None:
        """Finish the writes under way, give up ownership, release everything."""

    async def own(self) -> bool:
        """Try to become the one process that drives; True if it is now, or was already.

        Taking ownership raises the epoch, which fences off a former owner's writes.
        """

    @property
    def epoch(self) -> int:
        """The epoch of this process's ownership; 0 while it owns nothing."""

    async def create(
        self,
        generation: Generation,
        happenings: Sequence[Happening] = (),
        *,
        shared_as: str | None = None,
        max_in_flight: int | None = None,
        sources: Sequence[Source] = (),
        not_shared: Sequence[str] = (),
    ) -> Generation:
        """Insert a generation with its first events.

        With a ``dedupe_key`` that its owner used before, nothing is inserted and the earlier
        generation is returned.

        Args:
            generation: Queued.
            happenings: Its first events.
            shared_as: What identifies the request: a generation of this owner that was created
                with the same, and succeeded or is under way, is returned instead; one that is to
                be canceled is not, nor one that went to a generator which is no alternative of
                this one. Its ``dedupe_key`` goes first.
            max_in_flight: How many of its owner's may be under way, this one included.
            sources: Its inputs that may be artifacts of earlier generations of its owner. Only a
                store that has a ``lineage`` need keep what it finds of them.
            not_shared: Ids of generations that are not returned for ``shared_as``: their files
                are gone.

        Raises:
            ConflictError: So many are under way already.
        """

    async def cas(self, change: Change) -> bool:
        """Apply a change if the phase is as expected (and the fence holds); False if not.

        What was submitted is not queued again either if its last attempt was accepted, and its
        job is known: somebody kept the answer meanwhile.

        A reservation and the look at its budgets are one with the change: however many are made
        at once, and by however many processes, no budget is exceeded by a reservation.

        Raises:
            BudgetError: A budget has no room for what is to be reserved; nothing was applied.
            ClaimedError: The job is another generation's; nothing was applied. Whether it is, is
                seen in the same transaction: of two that claim one job, one gets it.
        """

    async def check_budgets(self, reserve: Reserve, owner: str) -> None:
        """Whether a reservation would find room now; it may not when it is made.

        Raises:
            BudgetError: It would not.
        """

    async def costs(
        self,
        *,
        since: float | None,
        until: float | None,
        group_by: Grouping,
        owner: str | None = None,
    ) -> builtins.list[CostGroup]:
        """What attempts cost that were begun in a time, by what they share.

        Of all owners together when ``owner`` is None. Days come newest first, everything else the
        dearest first.
        """

    async def note(self, generation: Generation, happenings: Sequence[Happening]) -> None:
        """Keep progress of a live generation: in order, but without waiting for the disk.

        Applies only while the phase is unchanged and final phases are never left.
        """

    async def attempt_result(
        self,
        attempt: Attempt,
        *,
        provider_job_id: str | None = None,
        job: object = None,
        outcome: Outcome | None = None,
    ) -> None:
        """Keep what became of an attempt, whatever state the generation is in.

        A late answer is never lost.
        """

    async def claimed(self, provider: str, job_ids: Sequence[str]) -> set[str]:
        """Which of these ids of a provider's jobs belong to generations already."""

    async def by_token(self, token_hash: str) -> Attempt | None:
        """The attempt whose webhook has this token, given as its SHA-256 in hex."""

    async def make_due(self, generation_id: str) -> None:
        """Have a live generation looked at now, by whichever process drives it."""

    async def wish_cancel(self, generation_id: str) -> Generation | None:
        """Mark a live generation as to be canceled, from any process; None if there is none."""

    async def get(self, generation_id: str, *, owner: str | None = None) -> Generation | None:
        """One generation, by its id; of any owner when ``owner`` is None."""

    async def deduped(self, key: str, *, owner: str) -> Generation | None:
        """The generation that an owner's ``dedupe_key`` stands for, if it was used."""

    async def find(self, prefix: str, *, owner: str = "", limit: int = 5) -> list[Generation]:
        """Generations whose id begins so (people type a part of it)."""

    async def list(self, listing: Listing) -> list[Generation]:
        """Generations, newest first."""

    async def attempts(
        self, generation_id: str, *, owner: str | None = None
    ) -> builtins.list[Attempt]:
        """A generation's attempts, in order; none of another owner's, if there is an ``owner``."""

    async def events(
        self, generation_id: str, *, after: int = 0, owner: str | None = None
    ) -> builtins.list[Event]:
        """A generation's events after one, in order; those of one owner's, as in attempts."""

    async def happened_since(self, after: int | None) -> tuple[set[str], int]:
        """The generations that have events after one, and the id of the last event of all.

        Cheap, however many generations there are: asked whenever another process wrote. None asks
        for the last event alone.
        """

    async def has_file(self, key: str, *, owner: str) -> bool:
        """Whether a generation or a run of a pipeline of this owner has a file of the storage.

        As an artifact, or as an input that is ``artifact:KEY`` and nothing else. A text in which
        the key occurs is no proof: anybody could have written it.
        """

    async def due(self, now: float, limit: int = 1000) -> builtins.list[Generation]:
        """Live generations to be looked at: those whose ``due_at`` has come, soonest first."""

    async def live(self) -> AsyncIterator[Generation]:
        """Every generation that is not final, oldest first: what a new owner takes up."""
        raise NotImplementedError
        yield  # makes it an async generator

    async def referenced_keys(self) -> AsyncIterator[str]:
        """Every key of a storage that is mentioned, by any owner's generation or run of a pipeline.

        Inputs, announced outputs and artifacts: of all generations that were there when it began.
        Perhaps more than are meant, never fewer.
        """
        raise NotImplementedError
        yield  # makes it an async generator

    async def prune(self, *, before: float, keep: int = 0, dry_run: bool = False) -> int:
        """Delete generations that ended before a time, of any owner; what they cost stays.

        In small steps: others write meanwhile. Live ones stay, and those that a live run of a
        pipeline has. A run that ended before goes with the last of its generations.

        Args:
            before: Unix seconds.
            keep: So many of the newest final ones stay in any case.
            dry_run: Delete nothing; only count.

        Returns:
            How many generations were deleted, or would be.
        """

    async def changed_elsewhere(self) -> bool:
        """Whether another process wrote since the last time that this was asked. Cheap."""

    def subscribe(self, callback: Callable[[Generation, Sequence[Happening]], None]) -> None:
        """Call back on the event loop after each commit of this process."""
