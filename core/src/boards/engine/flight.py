"""A generation on its way: what the process keeps in memory beside its row."""

from collections import deque
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field, frozen

from boards.engine.limits import Ticket
from boards.engine.webhooks import Addresses
from boards.events import iso_time
from boards.generations import Attempt, Generation
from boards.spec.compile import CompiledGenerator
from boards.spec.paths import ABSENT
from boards.spec.replies import ReplyValue
from boards.storage import Blob

if TYPE_CHECKING:
    import asyncio

__all__ = ["Flight", "Heard"]


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
        previous: The JSON body of the reply before, ``prev`` in specs.
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
    inbox: deque[Heard] = field(factory=deque, repr=False)
    listener: "asyncio.Task[None] | None" = field(default=None, repr=False)
    heard_at: float = 0.0
    deaf: int = 0
    listen_at: float = 0.0
    ticket: Ticket | None = field(default=None, repr=False)
    lookups: int = 0
    look_at: float = 0.0
    _input_scope: dict[str, Any] | None = field(default=None, repr=False)

    def leave(self) -> None:
        """Stop listening: nothing more is to be heard of it."""
        if self.listener is not None:
            self.listener.cancel()
            self.listener = None

    def wish_canceled(self) -> None:
        """Note a wish to cancel that the store has."""
        if self.ticket is not None:
            self.ticket.withdraw()
        self.generation = evolve(self.generation, canceling=True)

    def scope(self, config: Any) -> dict[str, Any]:
        """The roots that the templates of this generation may use."""
        scope = self._input_scope
        if scope is None:
            scope = {
                "input": dict(self.generation.input),
                "config": config,
                "run": {"id": self.generation.id},
            }
            self._input_scope = scope = self.compiled.with_lets(scope)
        attempt = self.attempt
        if attempt is None:
            return scope
        run = {
            "id": self.generation.id,
            "uuid": attempt.uuid,
            "idempotency_key": attempt.idempotency_key,
            "submitted_at": iso_time(attempt.intent_at),
        }
        if attempt.token_hash is not None and self.addresses is not None:
            generation = self.generation
            run["webhook_url"] = self.addresses.url(
                generation.provider, generation.id, attempt.uuid
            )
        complete = {**scope, "run": run}
        if attempt.job is not None:
            complete["job"] = attempt.job
            complete["prev"] = attempt.job if self.previous is ABSENT else self.previous
        return complete
