"""A generation: one run of a generator, and the attempts to submit it."""

import os
import time
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from boards.artifacts import Artifact
from boards.errors import Failure
from boards.events import iso_time

__all__ = [
    "FINAL_PHASES",
    "PHASES",
    "STATUSES",
    "Alternative",
    "Attempt",
    "Cost",
    "Generation",
    "Outcome",
    "Output",
    "Phase",
    "Progress",
    "Status",
    "new_id",
    "status_of",
]

Phase = Literal[
    "queued",
    "submitting",
    "waiting",
    "fetching",
    "unknown",
    "succeeded",
    "failed",
    "canceled",
    "expired",
]
"""The state of the engine's machine, the truth of the store."""

Status = Literal["queued", "running", "succeeded", "failed", "canceled"]
"""What a caller is told: a coarser reading of the phase."""

Outcome = Literal["accepted", "refused", "unsent", "ambiguous", "abandoned"]
"""What became of an attempt to submit."""

PHASES: tuple[Phase, ...] = get_args(Phase)
STATUSES: tuple[Status, ...] = get_args(Status)
FINAL_PHASES: frozenset[Phase] = frozenset({"succeeded", "failed", "canceled", "expired"})

CLOCK_SKEW: Final = 5.0
"""Seconds by which a provider's clock may be behind this one."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def new_id() -> str:
    """A new generation id: 26 characters, 48 bits of milliseconds then 80 random bits.

    Ids sort by creation time and cannot be guessed.
    """
    number = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10))
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


@frozen
class Progress:
    """How far the provider says that a job is.

    Attributes:
        status: ``queued`` or ``running``, as the provider says.
        percent: 0 to 100; None where the provider does not tell.
        queue_position: 0 is next; None where the provider does not tell.
    """

    status: Literal["queued", "running"] = "queued"
    percent: float | None = None
    queue_position: int | None = None


@frozen
class Cost:
    """What a generation costs.

    Attributes:
        usd: US dollars.
        unit: What the price counts: ``image``, ``second``, ``character``, ``token``, ``megapixel``,
            ``compute_second``, ``credit`` or ``generation``.
        quantity: How many units.
        estimated: True while it is computed from the spec, not told by the provider.
    """

    usd: float
    unit: str
    quantity: float = 1.0
    estimated: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The cost as JSON."""
        return {
            "usd": self.usd,
            "unit": self.unit,
            "quantity": self.quantity,
            "estimated": self.estimated,
        }


def _without_query(url: str | None) -> str:
    """A URL as it may be shown: its query may be what gives access."""
    return repr(url and url.partition("?")[0])


@frozen
class Output:
    """An output that a provider announced, before and while its bytes are fetched.

    Attributes:
        form: ``url``, ``inline`` (bytes that came with the reply, already in the storage)
            or ``text``.
        url: Where to fetch it, for ``url``. Untrusted: it came from a reply.
        key: The storage's key, once the bytes are kept.
        mime: The declared media type, if any.
        expires_at: Unix seconds after which the URL is dead, if known.
        fetch_auth: ``none``, ``same_origin`` or ``provider`` (the output has a request of its
            own at a trusted host).
        meta: Facts that the spec names.
        headers: Sent when it is fetched, to its own origin alone.
    """

    form: Literal["url", "inline", "text"]
    url: str | None = field(default=None, repr=_without_query)
    key: str | None = None
    mime: str | None = None
    expires_at: float | None = None
    fetch_auth: str = "none"
    meta: Mapping[str, Any] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)


@frozen
class Attempt:
    """One try to submit a generation: the intent, committed before anything is sent.

    Attributes:
        generation_id: Whose attempt it is.
        number: 1 for the first.
        uuid: The attempt's own id, ``run.uuid`` in specs.
        idempotency_key: Constant across replays of the attempt.
        request_digest: SHA-256 of the rendered request, hex.
        epoch: Of the process that owned the store.
        intent_at: Unix seconds.
        token_hash: SHA-256 of the token in the attempt's webhook URL, hex.
        provider_job_id: The provider's id of the job, once its reply is committed.
        job: What ``submit.capture`` read from the reply: ``job`` in specs.
        outcome: None while nobody knows; ``accepted``, ``refused`` (nothing was accepted),
            ``unsent`` (nothing left this machine), ``ambiguous`` or ``abandoned``.
    """

    generation_id: str
    number: int
    uuid: str
    idempotency_key: str
    request_digest: str
    epoch: int
    intent_at: float
    token_hash: str | None = None
    provider_job_id: str | None = None
    job: Any = None
    outcome: Outcome | None = None

    @property
    def run(self) -> dict[str, str]:
        """The root ``run`` of specs, as far as every attempt has it.

        ``submitted_at`` is what a provider's list of jobs is asked from, ISO 8601 in UTC: some
        seconds before the intent, since the provider's clock may be behind this one.
        """
        return {
            "id": self.generation_id,
            "uuid": self.uuid,
            "idempotency_key": self.idempotency_key,
            "submitted_at": iso_time(self.intent_at - CLOCK_SKEW) or "",
        }


@frozen
class Alternative:
    """Another generator that would do, if the provider of the first refuses.

    Attributes:
        generator: Full id.
        provider: The provider instance.
        input: As that generator takes it, after its defaults.
        cost: Its estimate.
    """

    generator: str
    provider: str
    input: Mapping[str, Any]
    cost: Cost | None = None


@frozen(kw_only=True)
class Generation:
    """One run of a generator, as the store has it.

    Attributes:
        id: See :func:`new_id`.
        owner: Who asked; one owner never sees another's generations.
        generator: Full id, ``provider/name``, with its version suffix if it has one.
        provider: The provider instance.
        artifact_type: What the generator makes.
        input: After defaults; files are ``artifact:KEY`` references, URLs or data URIs.
        phase: The engine's state.
        status: What a caller is told.
        progress: The provider's last word on how far it is.
        canceling: Someone wished to cancel it; it is final only when the provider says so.
        provider_job_id: The provider's id of the job.
        outputs: What the provider announced, while it is fetched.
        artifacts: The result, in the provider's order.
        cost: Estimated or actual; an estimate stays what it was where nothing was charged, see
            ``usd``.
        error: Why it failed.
        priority: Lower first.
        dedupe_key: Unique per owner, if given.
        created_at: Unix seconds, as all times here.
        submitted_at: When the provider accepted it.
        started_at: When the provider was first seen running it.
        finished_at: When it became final.
        on_ambiguous: What becomes of it where the answer to its submit is lost for good: ``hold``,
            ``resubmit`` or ``fail``.
        alternatives: Where it goes if its provider refuses, in order; with ``fallback="on_error"``.
        due_at: When the engine looks at it next; None while nothing is to be done by time.
    """

    id: str
    generator: str
    provider: str
    artifact_type: str
    input: Mapping[str, Any]
    owner: str = ""
    phase: Phase = "queued"
    progress: Progress = Progress()
    canceling: bool = False
    provider_job_id: str | None = None
    outputs: tuple[Output, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    cost: Cost | None = None
    error: Failure | None = None
    priority: int = 0
    dedupe_key: str | None = None
    created_at: float = 0.0
    submitted_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    due_at: float | None = None
    on_ambiguous: str = "hold"
    alternatives: tuple[Alternative, ...] = ()

    @property
    def status(self) -> Status:
        """What a caller is told: see :func:`status_of`."""
        return status_of(self.phase, self.progress)

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.phase in FINAL_PHASES

    @property
    def usd(self) -> float | None:
        """What it cost in US dollars, as far as it is known: an estimate counts, as in the ledger.

        0 where surely nothing was charged, unless the provider told a cost; None without a price.
        """
        if self.cost is None:
            return None
        free = (self.error is not None and not self.error.maybe_charged) or (
            self.phase == "canceled" and self.submitted_at is None
        )
        return 0.0 if free and self.cost.estimated else self.cost.usd

    def as_dict(self) -> dict[str, Any]:
        """The generation as JSON: the shape that ``--json`` prints, documented in the docs."""
        error = self.error
        return {
            "id": self.id,
            "generator": self.generator,
            "provider": self.provider,
            "status": self.status,
            "phase": "canceling" if self.canceling and not self.final else self.phase,
            "progress": {
                "percent": self.progress.percent,
                "queue_position": self.progress.queue_position,
            },
            "input": dict(self.input),
            "artifacts": [artifact.as_dict() for artifact in self.artifacts],
            "cost": None if self.cost is None else self.cost.as_dict(),
            "provider_job_id": self.provider_job_id,
            "error": None
            if error is None
            else {
                "kind": error.kind,
                "message": error.message,
                "remedy": error.remedy,
                "retryable": error.retryable,
                "maybe_charged": error.maybe_charged,
            },
            "timings": {
                "created_at": iso_time(self.created_at),
                "submitted_at": iso_time(self.submitted_at),
                "started_at": iso_time(self.started_at),
                "finished_at": iso_time(self.finished_at),
                "total_seconds": None
                if self.finished_at is None
                else round(self.finished_at - self.created_at, 3),
            },
        }


def status_of(phase: Phase, progress: Progress) -> Status:
    """The public status of a phase: queued while the provider says so, expired is failed."""
    match phase:
        case "queued":
            return "queued"
        case "waiting":
            return progress.status
        case "submitting" | "fetching" | "unknown":
            return "running"
        case "expired":
            return "failed"
        case _:
            return phase
