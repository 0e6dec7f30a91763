"""What happened to a generation, in order: rows of one table, numbered by the store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from attrs import field, frozen

__all__ = ["EVENT_TYPES", "Event", "EventType", "Happening", "iso_time"]

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


@frozen
class Happening:
    """An event before the store numbered it.

    Attributes:
        type: What happened.
        data: JSON facts of it, by type: ``progress`` has ``status``, ``percent`` and
            ``queue_position``; ``log`` has ``lines``; ``retrying`` has ``reason`` and ``seconds``;
            ``fallback`` has ``from``, ``to`` and ``reason``; ``submitted`` has
            ``provider_job_id``; ``artifact`` has the artifact; ``failed`` has the failure.
    """

    type: EventType
    data: Mapping[str, Any] = field(factory=dict)


@frozen
class Event:
    """An event of one generation.

    Attributes:
        id: Grows within the store; resume a stream after the last one that you have seen.
        generation_id: Whose event it is.
        type: What happened.
        at: When it was committed, unix seconds.
        data: See :class:`Happening`.
    """

    id: int
    generation_id: str
    type: EventType
    at: float
    data: Mapping[str, Any] = field(factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON."""
        return {
            "id": self.id,
            "generation": self.generation_id,
            "type": self.type,
            "at": iso_time(self.at),
            "data": dict(self.data),
        }


def iso_time(seconds: float | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
