# ruff: noqa: S608 - statements are made of constants, every value is bound
"""The writes of the SQLite store: what each method of the protocol does in the transaction.

Values are encoded when a write is made, on the caller's side: what cannot be encoded fails
there, and the writer's thread only binds and executes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from attrs import evolve

from boards.budgets import Entry, Reserve
from boards.errors import BudgetError, ClaimedError, ConflictError, StoreError
from boards.events import Happening
from boards.generations import Attempt, Generation, Phase
from boards.lineage import Source
from boards.store.ledger import LedgerRow, check_budgets
from boards.store.lineage import made_rows, write_made, write_sources
from boards.store.rows import GENERATION_COLUMNS, encode, encode_state, generation_of
from boards.store.schema import LIVE_PHASES
from boards.store.writer import Transaction, Write

__all__ = [
    "Announced",
    "Cas",
    "Create",
    "KeepAttempt",
    "MakeDue",
    "RaiseEpoch",
    "Read",
    "WishCancel",
]

# No number is given twice, whatever was pruned: SQLite itself goes on from the greatest there is.
_INSERT: Final = """
    INSERT INTO generations (seq, id, owner, generator, provider, artifact_type, phase, status,
        canceling, priority, created_at, finished_at, due_at, dedupe_key, provider_job_id, state)
    VALUES ((SELECT pruned + 1 FROM meta
             WHERE pruned >= (SELECT coalesce(max(seq), 0) FROM generations)),
        ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (owner, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
    RETURNING seq"""

_LIVE: Final = ", ".join(f"'{phase}'" for phase in LIVE_PHASES)
_IN_FLIGHT: Final = f"""
    SELECT id FROM generations WHERE phase IN ({_LIVE}) AND owner = ?
    ORDER BY seq LIMIT ?"""

_SHARE: Final = "INSERT INTO requests (owner, key, generation) VALUES (?, ?, ?)"

_MOVE: Final = "UPDATE generations SET generator = ?, provider = ? WHERE seq = ?"
_MOVE_INPUT: Final = "UPDATE inputs SET input = ? WHERE generation = ?"

_INSERT_INPUT: Final = "INSERT INTO inputs (generation, input) VALUES (?, ?)"

_INSERT_EVENT: Final = "INSERT INTO events (generation, type, at, data) VALUES (?, ?, ?, ?)"

# A wish to cancel may have been committed after the caller read the row. It stays, and so does
# the time at which the driver is to see it; a final row is never due.
_UPDATE: Final = """
    UPDATE generations SET phase = ?, status = ?, finished_at = ?, provider_job_id = ?, state = ?,
        due_at = CASE WHEN canceling > ? AND ? THEN coalesce(min(due_at, ?), due_at) ELSE ? END,
        canceling = max(canceling, ?)
    WHERE id = ? AND phase = ?
    RETURNING seq, canceling, due_at"""

# What became known of a job is never forgotten: a stale writer knows less than the row.
_UPSERT_ATTEMPT: Final = """
    INSERT INTO attempts (generation, number, uuid, idempotency_key, request_digest, epoch,
        intent_at, token_hash, provider_job_id, job, outcome)
    SELECT seq, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM generations WHERE id = ?
    ON CONFLICT (generation, number) DO UPDATE SET
        uuid = excluded.uuid,
        idempotency_key = excluded.idempotency_key,
        request_digest = excluded.request_digest,
        epoch = excluded.epoch,
        intent_at = excluded.intent_at,
        token_hash = excluded.token_hash,
        provider_job_id = coalesce(excluded.provider_job_id, provider_job_id),
        job = coalesce(excluded.job, job),
        outcome = CASE WHEN outcome = 'accepted' THEN outcome
                       ELSE coalesce(excluded.outcome, outcome) END"""

_WISH: Final = """
    UPDATE generations SET canceling = 1, due_at = min(coalesce(due_at, ?), ?)
    WHERE seq = ?"""

_MAKE_DUE: Final = """
    UPDATE generations SET due_at = min(coalesce(due_at, ?), ?)
    WHERE id = ? AND finished_at IS NULL"""

# An answer may be kept by a webhook's process while another gives the submit up: whichever comes
# second makes the generation due, so that no crash between the two leaves it unknown.
_ANSWERED: Final = """(
        SELECT a.outcome = 'accepted' AND a.job IS NOT NULL FROM attempts a
        WHERE a.generation = generations.seq ORDER BY a.number DESC LIMIT 1)"""
_DUE_IF_ANSWERED: Final = f"""
    UPDATE generations SET due_at = ?
    WHERE id = ? AND phase = 'unknown' AND due_at IS NULL AND {_ANSWERED}"""
_IS_ANSWERED: Final = f"SELECT 1 FROM generations WHERE id = ? AND {_ANSWERED}"

_TAKEN: Final = """
    SELECT 1 FROM generations WHERE provider = ? AND provider_job_id = ? AND id <> ?"""

_GET: Final = f"SELECT {GENERATION_COLUMNS}, g.seq FROM generations g WHERE "

_SAME: Final = f"{_GET} g.owner = ? AND g.dedupe_key = ?"

_SHARED: Final = f"""{_GET} g.seq = (
    SELECT max(r.generation) FROM requests r JOIN generations s ON s.seq = r.generation
    WHERE r.owner = ? AND r.key = ? AND s.generator IN (SELECT value FROM json_each(?))
        AND s.phase NOT IN ('failed', 'canceled', 'expired')
        AND (s.phase = 'succeeded' OR NOT s.canceling)
        AND s.id NOT IN (SELECT value FROM json_each(?)))"""


class Announced(Protocol):
    """A write that subscribers are told of, if it has a generation after its commit."""

    @property
    def announced(self) -> Generation | None:
        """The generation as it was committed; None if nothing was."""

    @property
    def happenings(self) -> Sequence[Happening]:
        """Its events."""


_EventRow = tuple[str, str | None]


def _event_rows(happenings: Sequence[Happening]) -> list[_EventRow]:
    return [(one.type, encode(one.data) if one.data else None) for one in happenings]


def _insert_events(transaction: Transaction, seq: int, rows: list[_EventRow]) -> None:
    execute = transaction.cursor.execute
    for kind, data in rows:
        execute(_INSERT_EVENT, (seq, kind, transaction.now, data))


class Create(Write):
    """Insert a generation, unless another one of its owner stands for it; the one that is there."""

    __slots__ = (
        "_events", "_generation", "_generators", "_input", "_max_in_flight", "_not_shared", "_row",
        "_shared_as", "_sources", "announced", "happenings",
    )  # fmt: skip

    def __init__(
        self,
        generation: Generation,
        happenings: Sequence[Happening],
        *,
        shared_as: str | None = None,
        max_in_flight: int | None = None,
        sources: Sequence[Source] = (),
        not_shared: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._not_shared = encode([*not_shared]) if not_shared else "[]"
        self._sources = sources
        self._shared_as = shared_as
        self._max_in_flight = max_in_flight
        self.announced: Generation | None = None
        self.happenings = happenings
        self._generation = generation
        self._events = _event_rows(happenings)
        self._input = encode(generation.input)
        self._generators: str | None = None
        if shared_as is not None:
            # What went elsewhere since is not for those who may not go there.
            others = [one.generator for one in generation.alternatives]
            self._generators = encode([generation.generator, *others])
        self._row = (
            generation.id,
            generation.owner,
            generation.generator,
            generation.provider,
            generation.artifact_type,
            generation.phase,
            generation.status,
            generation.canceling,
            generation.priority,
            generation.created_at,
            generation.finished_at,
            generation.due_at,
            generation.dedupe_key,
            generation.provider_job_id,
            encode_state(generation),
        )

    def apply(self, transaction: Transaction) -> Generation | ConflictError:
        """Insert the rows; or the generation that stands for this one.

        Where the owner has no room, that is returned, not raised: it must not undo its neighbours.
        """
        execute = transaction.cursor.execute
        owner = self._generation.owner
        self.announced = None
        same = (owner, self._generation.dedupe_key)
        if self._shared_as is not None:
            # Its own key says more than that it is like another one.
            shared = execute(_SAME, same).fetchone()
            may_be = (owner, self._shared_as, self._generators, self._not_shared)
            shared = shared or execute(_SHARED, may_be).fetchone()
            if shared is not None:
                return generation_of(shared)
        if self._max_in_flight is not None:
            running = execute(_IN_FLIGHT, (owner, self._max_in_flight)).fetchall()
            # A key that was used needs no room, whatever became of its generation.
            if (conflict := self._conflict(running)) is not None:
                found = execute(_SAME, same).fetchone()
                return conflict if found is None else generation_of(found)
        inserted = execute(_INSERT, self._row).fetchone()
        if inserted is None:
            return generation_of(execute(_SAME, same).fetchone())
        (seq,) = inserted
        execute(_INSERT_INPUT, (seq, self._input))
        if self._shared_as is not None:
            execute(_SHARE, (owner, self._shared_as, seq))
        write_sources(transaction.cursor, seq, owner, self._sources)
        _insert_events(transaction, seq, self._events)
        self.announced = self._generation
        return self._generation

    def _conflict(self, running: list[tuple[str]]) -> ConflictError | None:
        """Why the owner may not have one more."""
        if self._max_in_flight is None or len(running) < self._max_in_flight:
            return None
        return ConflictError(
            f"Generations under way: {len(running)}; at most {self._max_in_flight} may be.",
            running=[id_ for (id_,) in running[:10]],
            remedy=f"Wait for one of them: boards wait {running[0][0]}. "
            "Or raise BOARDS_MAX_IN_FLIGHT.",
            generator=self._generation.generator,
        )


class Cas(Write):
    """Bring a generation from one phase to the next, with its events and its attempt.

    Args:
        expect: The phase that it must be in.
        generation: As it is afterwards. What never changes (owner, generator, input and so on)
            is not written again.
        happenings: Its events.
        attempt: An attempt to insert or to replace.
        epoch: The epoch that the database must be at; None for a write that is not fenced.
        moved: It went to another generator: that, and its input, are written too.
        entry: What the ledger notes of it.
        claims: Its job was found, not begun: it must be no other generation's.
    """

    __slots__ = (
        "_again",
        "_attempt",
        "_claims",
        "_epoch",
        "_events",
        "_generation",
        "_ledger",
        "_made",
        "_moved_input",
        "_row",
        "announced",
        "happenings",
    )

    def __init__(
        self,
        expect: Phase,
        generation: Generation,
        happenings: Sequence[Happening],
        attempt: Attempt | None,
        epoch: int | None,
        entry: Entry | None = None,
        *,
        moved: bool = False,
        claims: bool = False,
    ) -> None:
        super().__init__()
        self.announced: Generation | None = None
        self.happenings = happenings
        self._generation = generation
        self._claims = claims
        self._events = _event_rows(happenings)
        self._moved_input = encode(generation.input) if moved else None
        self._made = made_rows(generation) if generation.phase == "succeeded" else None
        self._ledger = None if entry is None else LedgerRow.of(entry, attempt)
        self._attempt = None if attempt is None else _attempt_row(attempt)
        self._epoch = epoch
        self._again = generation.phase == "queued" and expect in ("submitting", "unknown")
        live = not generation.final
        due_at = generation.due_at if live else None
        self._row = (
            generation.phase,
            generation.status,
            generation.finished_at,
            generation.provider_job_id,
            encode_state(generation),
            generation.canceling,
            live,
            due_at,
            due_at,
            generation.canceling,
            generation.id,
            expect,
        )

    def apply(self, transaction: Transaction) -> bool | BudgetError | ClaimedError:
        """Update the row and insert what belongs to it; False if the row is not as expected.

        A budget without room, and a job that another generation has, are returned, not raised:
        they must not undo the neighbours.
        """
        self.announced = None
        if self._epoch is not None and self._epoch != transaction.epoch:
            return False
        if self._again and self._is_answered(transaction):
            return False
        if self._claims and self._is_taken(transaction):
            return ClaimedError(
                f"The job {self._generation.provider_job_id} is another generation's: nothing was"
                " decided.",
                remedy="Look at the provider for the job that was submitted at that time.",
                generation_id=self._generation.id,
            )
        if (exceeded := self._exceeded(transaction)) is not None:
            return exceeded
        updated = transaction.cursor.execute(_UPDATE, self._row).fetchone()
        if updated is None:
            return False
        seq, canceling, due_at = updated
        if self._attempt is not None:
            transaction.cursor.execute(_UPSERT_ATTEMPT, self._attempt)
        if self._ledger is not None:
            self._ledger.write(transaction.cursor, seq, transaction.now)
        if self._moved_input is not None:
            moved = (self._generation.generator, self._generation.provider, seq)
            transaction.cursor.execute(_MOVE, moved)
            transaction.cursor.execute(_MOVE_INPUT, (self._moved_input, seq))
        if self._made is not None:
            write_made(transaction.cursor, seq, self._generation.owner, self._made)
        _insert_events(transaction, seq, self._events)
        generation = self._generation
        if generation.phase == "unknown" and due_at is None:
            transaction.cursor.execute(_DUE_IF_ANSWERED, (transaction.now, generation.id))
        if canceling and not generation.canceling:
            generation = evolve(generation, canceling=True, due_at=due_at)
        self.announced = generation
        return True

    def _is_answered(self, transaction: Transaction) -> bool:
        """Whether the job of the last attempt is known: to submit again would pay twice."""
        found = transaction.cursor.execute(_IS_ANSWERED, (self._generation.id,))
        return found.fetchone() is not None

    def _is_taken(self, transaction: Transaction) -> bool:
        """Whether another generation has the job: its outputs would become this one's."""
        generation = self._generation
        job = (generation.provider, generation.provider_job_id, generation.id)
        return transaction.cursor.execute(_TAKEN, job).fetchone() is not None

    def _exceeded(self, transaction: Transaction) -> BudgetError | None:
        entry = None if self._ledger is None else self._ledger.entry
        if not isinstance(entry, Reserve) or not entry.budgets:
            return None
        owner = self._generation.owner
        return check_budgets(
            transaction.cursor, entry.budgets, entry.amount, owner, transaction.now
        )


def _attempt_row(attempt: Attempt) -> tuple[Any, ...]:
    return (
        attempt.number,
        attempt.uuid,
        attempt.idempotency_key,
        attempt.request_digest,
        attempt.epoch,
        attempt.intent_at,
        attempt.token_hash,
        attempt.provider_job_id,
        None if attempt.job is None else encode(attempt.job),
        attempt.outcome,
        attempt.generation_id,
    )


class KeepAttempt(Write):
    """Insert an attempt, or add to it what became known."""

    __slots__ = ("_generation_id", "_row")

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._generation_id = attempt.generation_id
        self._row = _attempt_row(attempt)

    def apply(self, transaction: Transaction) -> None:
        """Insert or update the row of the attempt."""
        if transaction.cursor.execute(_UPSERT_ATTEMPT, self._row).rowcount != 1:
            raise StoreError(
                "The attempt belongs to no generation of this store.",
                generation_id=self._generation_id,
            )
        due = (transaction.now, self._generation_id)
        transaction.cursor.execute(_DUE_IF_ANSWERED, due)


class WishCancel(Write):
    """Mark a live generation as to be canceled and make it due; the generation afterwards."""

    __slots__ = ("_generation_id", "announced", "happenings")

    def __init__(self, generation_id: str) -> None:
        super().__init__()
        self.announced: Generation | None = None
        self.happenings: Sequence[Happening] = (Happening("canceling"),)
        self._generation_id = generation_id

    def apply(self, transaction: Transaction) -> Generation | None:
        """Update a row that is live; None if there is none."""
        self.announced = None
        execute = transaction.cursor.execute
        row = execute(f"{_GET} g.id = ?", (self._generation_id,)).fetchone()
        if row is None or (before := generation_of(row)).final:
            return None
        seq, now = row[-1], transaction.now
        execute(_WISH, (now, now, seq))
        due_at = now if before.due_at is None else min(before.due_at, now)
        generation = evolve(before, canceling=True, due_at=due_at)
        if not before.canceling:
            _insert_events(transaction, seq, _event_rows(self.happenings))
            self.announced = generation
        return generation


class MakeDue(Write):
    """Make a live generation due."""

    __slots__ = ("_generation_id",)

    def __init__(self, generation_id: str) -> None:
        super().__init__()
        self._generation_id = generation_id

    def apply(self, transaction: Transaction) -> None:
        """Update a row that is live."""
        now = transaction.now
        transaction.cursor.execute(_MAKE_DUE, (now, now, self._generation_id))


class RaiseEpoch(Write):
    """Take ownership if ``acquire`` gets the lock: the new epoch, or 0."""

    __slots__ = ("_acquire",)

    def __init__(self, acquire: Callable[[], bool]) -> None:
        super().__init__()
        self._acquire = acquire

    def apply(self, transaction: Transaction) -> int:
        """Raise the epoch under the lock."""
        if not self._acquire():
            return 0
        (epoch,) = transaction.cursor.execute(
            "UPDATE meta SET epoch = epoch + 1 RETURNING epoch"
        ).fetchone()
        transaction.epoch = epoch
        return int(epoch)


class Read(Write):
    """Read one value on the connection that writes."""

    __slots__ = ("_statement",)

    def __init__(self, statement: str) -> None:
        super().__init__()
        self._statement = statement

    def apply(self, transaction: Transaction) -> Any:
        """Execute the statement."""
        return transaction.cursor.execute(self._statement).fetchone()[0]
