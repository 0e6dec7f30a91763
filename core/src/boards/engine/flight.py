"""A generation on its way: what the process keeps in memory beside its row."""

from typing import Any

from attrs import define, evolve, field

from boards.events import iso_time
from boards.generations import Attempt, Generation
from boards.spec.compile import CompiledGenerator
from boards.spec.paths import ABSENT
from boards.storage import Blob

__all__ = ["Flight"]


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
    _input_scope: dict[str, Any] | None = field(default=None, repr=False)

    def wish_canceled(self) -> None:
        """Note a wish to cancel that the store has."""
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
        complete = {**scope, "run": run}
        if attempt.job is not None:
            complete["job"] = attempt.job
            complete["prev"] = attempt.job if self.previous is ABSENT else self.previous
        return complete
