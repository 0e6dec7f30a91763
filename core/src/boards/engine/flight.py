"""A generation on its way: what the process keeps in memory beside its row."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, evolve, field, frozen

from boards.engine.limits import Ticket
from boards.engine.webhooks import Addresses
from boards.generations import Attempt, Cost, Generation
from boards.spec.compile import CompiledGenerator
from boards.spec.paths import ABSENT
from boards.spec.replies import ReplyValue
from boards.storage import Blob

__all__ = ["CancelWishedError", "Flight", "Heard"]


class CancelWishedError(Exception):
    """A generation was wished canceled while something was waited for that is of no use then."""


@frozen
class Heard:
    """A reply that nobody asked for.

    Attributes:
        reply: As a poll would have been answered; or a webhook's body.
        webhook: It came by a webhook, and was verified.
    """

    reply: ReplyValue
    webhook: bool = False


@define
class Flight:
    """A live generation, in this process.

    Everything here can be made again from the store: after a crash another process does so.

    Attributes:
        generation: As last committed.
        compiled: Its generator.
        attempt: The latest attempt, once there is one.
        previous: The JSON body of the reply before, ``prev`` in specs, where that is used.
        polls: How often it was asked for since its status last changed.
        failures: How many requests in a row failed.
        lines: How many log lines were told.
        cancel_sent: The provider was asked to cancel it.
        blobs: Outputs that this process stored, by key.
        inbox: What a stream, a websocket or a webhook told, still to be judged.
        listener: The task that listens to a stream or a websocket, while there is one.
        heard_at: When something was last heard, or the listener began; monotonic seconds.
        deaf: How often listening ended since something was heard.
        listen_at: When listening may begin again; Unix seconds.
        ticket: What it waits at its provider's gate with, before the submit.
        lookups: How often a job was looked for whose submit's reply was lost.
        look_at: When it is looked for next; Unix seconds.
        told: What the provider told that it costs, committed with the next transition.
        late_at: When it was first seen that its deadline has passed; monotonic seconds.
        answer: The submit's attempt and reply, accepted and maybe not committed yet.
        refused: The attempt that was surely not accepted, and is maybe not committed as such yet.
        sent: Its submit was sent, and is not taken for lost.
        files: Where the files of its submit were uploaded, to be sent again as it was.
        stale: The store may know more than this: it is read again first.
    """

    generation: Generation
    compiled: CompiledGenerator
    attempt: Attempt | None = None
    previous: Any = ABSENT
    polls: int = 0
    failures: int = 0
    lines: int = 0
    cancel_sent: bool = False
    blobs: dict[str, Blob] = field(factory=dict, repr=False)
    addresses: Addresses | None = field(default=None, repr=False)
    inbox: list[Heard] = field(factory=list, repr=False)
    listener: "asyncio.Task[None] | None" = field(default=None, repr=False)
    heard_at: float = 0.0
    deaf: int = 0
    listen_at: float = 0.0
    ticket: Ticket | None = field(default=None, repr=False)
    lookups: int = 0
    look_at: float = 0.0
    told: Cost | None = None
    late_at: float = 0.0
    answer: "tuple[Attempt, ReplyValue] | None" = field(default=None, repr=False)
    refused: Attempt | None = field(default=None, repr=False)
    sent: bool = False
    files: dict[str, str] = field(factory=dict, repr=False)
    stale: bool = False
    _waiting: "asyncio.Task[Any] | None" = field(default=None, repr=False)
    _scope: tuple[str, dict[str, Any]] | None = field(default=None, repr=False)

    def go_elsewhere(self, compiled: CompiledGenerator) -> None:
        """Its provider refused it, and another one takes it up from the beginning."""
        self.compiled = compiled
        self.failures = 0
        self._scope = None

    def facts(self) -> dict[str, Any]:
        """Whose lines of the log these are: see :func:`boards.logs.facts`."""
        generation, attempt = self.generation, self.attempt
        facts: dict[str, Any] = {
            "generation": generation.id,
            "generator": generation.generator,
            "provider": generation.provider,
        }
        if attempt is not None:
            facts["attempt"] = attempt.number
        job = generation.provider_job_id or (attempt and attempt.provider_job_id)
        if job is not None:
            facts["provider_job_id"] = job
        return facts

    def leave(self) -> None:
        """Stop listening: nothing more is to be heard of it."""
        if self.listener is not None:
            self.listener.cancel()
            self.listener = None

    def begin_anew(self) -> None:
        """Listen no more to what an earlier submit opened: it tells of that one, not of the next.

        A webhook is kept, which was matched with its attempt.
        """
        self.leave()
        self.late_at = 0.0
        self.inbox = [heard for heard in self.inbox if heard.webhook]

    def hear_cost(self, reply: ReplyValue) -> None:
        """Note what a final reply tells of the cost, if it does."""
        charged = self.compiled.charged
        priced = None if charged is None else charged(reply)
        if priced is not None:
            usd, unit, quantity = priced
            if quantity is None:
                estimate = self.generation.cost
                quantity = 1.0 if estimate is None else estimate.quantity
            self.told = Cost(usd, unit, quantity, estimated=False)

    def wish_canceled(self) -> None:
        """Note a wish to cancel that the store has."""
        if self.ticket is not None:
            self.ticket.withdraw()
        if self._waiting is not None and not self.generation.canceling:  # it may be told again
            self._waiting.cancel()
            self._waiting = None
        self.generation = evolve(self.generation, canceling=True)

    @contextmanager
    def until_canceled(self) -> Iterator[None]:
        """Wait for what a wish to cancel ends at once: a provider may take its time.

        Raises:
            CancelWishedError: It was wished meanwhile.
        """
        task = self._waiting = asyncio.current_task()
        assert task is not None  # noqa: S101  # who waits is a task
        try:
            yield
        except asyncio.CancelledError:
            if self._waiting is task or task.cancelling() > 1:  # not by the wish, or not alone
                raise
            raise CancelWishedError from None
        finally:
            if self._waiting is None:
                task.uncancel()
            self._waiting = None

    def spare(self) -> None:
        """Note that the store may know more: that it need not be submitted any more, say."""
        if self.ticket is not None:
            self.ticket.withdraw()
        self.stale = True

    def remember(self, reply: ReplyValue) -> None:
        """Keep a reply for the next request, if that may need it: it may be long."""
        if self.compiled.looks_back:
            self.previous = reply["body"]

    def scope(self, config: Any) -> dict[str, Any]:
        """The roots that the templates of this generation may use."""
        attempt = self.attempt
        known = "" if attempt is None else attempt.uuid
        if self._scope is None or self._scope[0] != known:
            before = {
                "input": dict(self.generation.input),
                "config": config,
                "run": self._run(attempt),
            }
            self._scope = known, self.compiled.with_lets(before)
        scope = self._scope[1]
        if attempt is None or attempt.job is None:
            return scope
        previous = attempt.job if self.previous is ABSENT else self.previous
        return {**scope, "job": attempt.job, "prev": previous}

    def _run(self, attempt: Attempt | None) -> dict[str, Any]:
        """The root ``run``: of the generation, and of the attempt once there is one."""
        generation = self.generation
        if attempt is None:
            return {"id": generation.id}
        run: dict[str, Any] = attempt.run
        if attempt.token_hash is not None and self.addresses is not None:
            run["webhook_url"] = self.addresses.url(
                generation.provider, generation.id, attempt.uuid
            )
        return run
