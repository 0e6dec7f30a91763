"""What happened to a generation, in order: rows of one table, numbered by the store.

The one table of what each type of event tells is :data:`EVENT_DATA`: the store's format, the
checker's types and the JSON Schema are all made of it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Final,
    Generic,
    Literal,
    TypeAlias,
    TypedDict,
    get_args,
)

from attrs import field, frozen

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Type_co = TypeVar("Type_co", bound="EventType", default="EventType", covariant=True)
    Data_co = TypeVar("Data_co", bound=Mapping[str, Any], default=Mapping[str, Any], covariant=True)
else:
    from typing import TypeVar

    Type_co = TypeVar("Type_co", covariant=True)
    Data_co = TypeVar("Data_co", covariant=True)

__all__ = [
    "EVENT_DATA",
    "EVENT_TYPES",
    "AnyEvent",
    "ArtifactData",
    "CanceledData",
    "CostData",
    "Event",
    "EventType",
    "FailedData",
    "FallbackData",
    "FetchingData",
    "Happening",
    "LogData",
    "NoData",
    "ProgressData",
    "QueuedData",
    "ResolvedData",
    "RetryingData",
    "SubmittedData",
    "SubmittingData",
    "SucceededData",
    "UnknownData",
    "iso_time",
    "schema",
]

EventType = Literal[
    "queued",
    "submitting",
    "submitted",
    "progress",
    "log",
    "retrying",
    "fallback",
    "fetching",
    "artifact",
    "canceling",
    "succeeded",
    "failed",
    "canceled",
    "unknown",
    "resolved",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


class QueuedData(TypedDict):
    """It waits for its turn."""

    generator: Annotated[str, "The full id of the generator."]


class SubmittingData(TypedDict):
    """An attempt was written down, and is being sent."""

    attempt: Annotated[int, "1 for the first."]


class SubmittedData(TypedDict):
    """The provider accepted it."""

    provider_job_id: Annotated[str | None, "The provider's id of the job."]


class ProgressData(TypedDict):
    """The provider's word on how far it is."""

    status: Annotated[Literal["queued", "running"], "As the provider says."]
    percent: Annotated[float | None, "0 to 100; null where the provider does not tell."]
    queue_position: Annotated[int | None, "0 is next; null where the provider does not tell."]


class LogData(TypedDict):
    """The provider's own log of the job."""

    lines: Annotated[list[str], "What is new since the last such event."]


class RetryingData(TypedDict):
    """A request failed, and is sent again."""

    reason: Annotated[str, "What happened."]
    seconds: Annotated[float, "Until then."]


FallbackData = TypedDict(
    "FallbackData",
    {
        "from": Annotated[str, "The full id of the generator that could not be used."],
        "to": Annotated[str, "The full id of the one that is used instead."],
        "reason": Annotated[str, "Why."],
    },
)
FallbackData.__doc__ = "Another provider's generator takes its place."


class FetchingData(TypedDict):
    """The job is done, and its outputs are fetched."""

    outputs: Annotated[int, "How many there are."]


class ArtifactData(TypedDict):
    """One output is kept: the artifact as :meth:`boards.Artifact.as_dict` gives it."""

    id: Annotated[str, "GENERATION_ID.INDEX, the index counting from 0."]
    type: Literal["image", "audio", "video", "text", "model", "intermediate"]
    mime: Annotated[str, "The media type, sniffed from the bytes."]
    path: Annotated[str | None, "The file, where the storage keeps files."]
    size: Annotated[int, "Bytes."]
    sha256: Annotated[str, "Of the bytes, lower-case hex."]
    meta: Annotated[dict[str, Any], "Facts that the specification names."]
    width: Annotated[int | None, "Pixels."]
    height: Annotated[int | None, "Pixels."]
    duration: Annotated[float | None, "Seconds."]
    fps: Annotated[float | None, "Frames per second."]
    sample_rate: Annotated[int | None, "Samples per second."]
    channels: Annotated[int | None, "Channels of sound."]


class NoData(TypedDict):
    """Someone wished to cancel it."""


class CostData(TypedDict):
    """What a generation costs: :meth:`boards.Cost.as_dict`."""

    usd: Annotated[float, "US dollars."]
    unit: Annotated[str, "What the price counts."]
    quantity: Annotated[float, "How many units."]
    estimated: Annotated[bool, "Computed from the list price, not told by the provider."]


class SucceededData(TypedDict):
    """The end: it succeeded."""

    artifacts: Annotated[int, "How many there are; an event of each came before."]
    cost: Annotated[CostData | None, "Null where no price is known."]


class FailedData(TypedDict):
    """The end: it failed. The fields are those of :class:`boards.errors.Failure`."""

    kind: Annotated[
        Literal[
            "rate_limited",
            "transient",
            "timeout",
            "auth",
            "quota",
            "invalid_input",
            "moderated",
            "not_found",
            "provider",
            "untrusted_url",
            "expired",
        ],
        "What went wrong.",
    ]
    message: Annotated[str, "What happened, in the provider's words where it gave any."]
    remedy: Annotated[str, "What mends it; empty where nothing does."]
    retryable: Annotated[bool, "The same request may succeed later."]
    maybe_charged: Annotated[bool, "The provider may have charged for it."]


class CanceledData(TypedDict):
    """The end: it was canceled."""

    upstream: Annotated[bool, "The provider said so; otherwise it was never, or is still, there."]


class UnknownData(TypedDict):
    """Whether the provider accepted it cannot be told: it waits for a decision."""

    reason: Annotated[str, "What happened."]


class ResolvedData(TypedDict):
    """It is known what became of it, or somebody decided."""

    decision: Annotated[
        Literal["job", "resubmit", "abandon", "webhook", "reconciled", "answered", "orphan"],
        "A person's decision (the first three); a webhook's call; the job was found; the answer"
        " came after all; or an earlier submit that was given up arrived after all, and is paid for"
        " too.",
    ]
    provider_job_id: Annotated[str | None, "The provider's id of the job, where it is known."]


EVENT_DATA: Final[Mapping[EventType, type]] = {
    "queued": QueuedData,
    "submitting": SubmittingData,
    "submitted": SubmittedData,
    "progress": ProgressData,
    "log": LogData,
    "retrying": RetryingData,
    "fallback": FallbackData,
    "fetching": FetchingData,
    "artifact": ArtifactData,
    "canceling": NoData,
    "succeeded": SucceededData,
    "failed": FailedData,
    "canceled": CanceledData,
    "unknown": UnknownData,
    "resolved": ResolvedData,
}
"""What ``Event.data`` is, by type. Every key is always there; a later version may add some."""


@frozen
class Happening:
    """An event before the store numbered it.

    Attributes:
        type: What happened.
        data: JSON facts of it, as :data:`EVENT_DATA` says.
    """

    type: EventType
    data: Mapping[str, Any] = field(factory=dict)


@frozen
class Event(Generic[Type_co, Data_co]):
    """An event of one generation.

    Attributes:
        id: Grows within the store; resume a stream after the last one that you have seen.
        generation_id: Whose event it is.
        type: What happened.
        at: When it was committed, unix seconds.
        data: JSON facts of it, as :data:`EVENT_DATA` says.
    """

    id: int
    generation_id: str
    type: Type_co
    at: float
    data: Data_co = field(factory=dict)  # type: ignore[assignment]  # of those that have none

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON."""
        return {
            "id": self.id,
            "generation": self.generation_id,
            "type": self.type,
            "at": iso_time(self.at),
            "data": dict(self.data),
        }


AnyEvent: TypeAlias = (
    Event[Literal["queued"], QueuedData]
    | Event[Literal["submitting"], SubmittingData]
    | Event[Literal["submitted"], SubmittedData]
    | Event[Literal["progress"], ProgressData]
    | Event[Literal["log"], LogData]
    | Event[Literal["retrying"], RetryingData]
    | Event[Literal["fallback"], FallbackData]
    | Event[Literal["fetching"], FetchingData]
    | Event[Literal["artifact"], ArtifactData]
    | Event[Literal["canceling"], NoData]
    | Event[Literal["succeeded"], SucceededData]
    | Event[Literal["failed"], FailedData]
    | Event[Literal["canceled"], CanceledData]
    | Event[Literal["unknown"], UnknownData]
    | Event[Literal["resolved"], ResolvedData]
)
"""An event whose ``data`` a type checker knows once ``type`` was compared."""


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one event of a stream, as ``--json`` prints it."""
    from boards.event_schema import event_schema  # noqa: PLC0415  # rarely needed

    return event_schema()


def iso_time(seconds: float | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
