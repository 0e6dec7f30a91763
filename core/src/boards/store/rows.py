"""Generations, attempts and events as rows of SQLite.

What is filtered or sorted by is a column; the rest is one JSON object, ``state``, of the fields
that differ from their defaults. Records are written by hand, not by a converter: a transition
encodes one of them, and there are tens of thousands of those a second.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import NOTHING, Factory, fields

from boards.artifacts import Artifact
from boards.errors import Failure, StoreError
from boards.events import Event
from boards.generations import Alternative, Attempt, Cost, Generation, Output, Progress

__all__ = [
    "ATTEMPT_COLUMNS",
    "EVENT_COLUMNS",
    "GENERATION_COLUMNS",
    "attempt_of",
    "encode",
    "encode_state",
    "event_of",
    "generation_of",
]

GENERATION_COLUMNS: Final = (
    "g.id, g.owner, g.generator, g.provider, g.artifact_type, g.phase, g.priority, g.dedupe_key,"
    " g.created_at, g.finished_at, g.due_at, g.provider_job_id, g.canceling, g.state,"
    " (SELECT i.input FROM inputs i WHERE i.generation = g.seq)"
)
"""What :func:`generation_of` reads, of ``generations g``."""

ATTEMPT_COLUMNS: Final = (
    "a.number, a.uuid, a.idempotency_key, a.request_digest, a.epoch, a.intent_at, a.token_hash,"
    " a.provider_job_id, a.job, a.outcome"
)
"""What :func:`attempt_of` reads, of ``attempts a``."""

EVENT_COLUMNS: Final = "e.id, e.type, e.at, e.data"
"""What :func:`event_of` reads, of ``events e``."""

_STATE: Final = (
    "progress",
    "outputs",
    "artifacts",
    "cost",
    "error",
    "submitted_at",
    "started_at",
    "on_ambiguous",
    "alternatives",
)


def _defaults(record: type) -> tuple[tuple[str, Any], ...]:
    """Names and default values of a record's fields."""
    return tuple(
        (one.name, one.default.factory() if isinstance(one.default, Factory) else one.default)  # type: ignore[arg-type]
        for one in fields(record)
    )


_RECORDS: Final[Mapping[type, tuple[tuple[str, Any], ...]]] = {
    record: _defaults(record) for record in (Progress, Output, Cost, Failure, Alternative)
}
_ARTIFACT: Final = _defaults(Artifact)
_STATE_DEFAULTS: Final = tuple(pair for pair in _defaults(Generation) if pair[0] in _STATE)


def _sparse(record: Any, defaults: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    """The fields of a record that differ from their defaults."""
    return {
        name: value
        for name, default in defaults
        if (value := getattr(record, name)) != default or default is NOTHING
    }


def _jsonable(value: object) -> Any:
    """What the JSON encoder does not know by itself."""
    if (defaults := _RECORDS.get(type(value))) is not None:
        return _sparse(value, defaults)
    if isinstance(value, Artifact):
        artifact = _sparse(value, _ARTIFACT)
        if value.path is not None:
            artifact["path"] = str(value.path)
        return artifact
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _encoder(*, ensure_ascii: bool) -> Callable[[object], str]:
    return json.JSONEncoder(
        ensure_ascii=ensure_ascii, separators=(",", ":"), default=_jsonable
    ).encode


_encode = _encoder(ensure_ascii=False)
_encode_ascii = _encoder(ensure_ascii=True)


def encode(value: object) -> str:
    """A value as compact JSON.

    Raises:
        StoreError: The value is not JSON.
    """
    try:
        text = _encode(value)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                # Half a surrogate pair, which replies do contain: only its escape is UTF-8.
                text = _encode_ascii(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"A value cannot be kept, because it is not JSON: {error}.") from error
    return text


def encode_state(generation: Generation) -> str:
    """The fields of a generation that are no column of their own."""
    return encode(_sparse(generation, _STATE_DEFAULTS))


def _artifact(values: dict[str, Any]) -> Artifact:
    path = values.pop("path", None)
    return Artifact(**values, path=Path(path) if path is not None else None)


def _alternative(values: dict[str, Any]) -> Alternative:
    cost = values.pop("cost", None)
    return Alternative(**values, cost=None if cost is None else Cost(**cost))


_DECODERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "progress": lambda values: Progress(**values),
    "outputs": lambda items: tuple(Output(**values) for values in items),
    "artifacts": lambda items: tuple(_artifact(values) for values in items),
    "cost": lambda values: Cost(**values),
    "alternatives": lambda items: tuple(_alternative(values) for values in items),
    "error": lambda values: Failure(**values),
}


def generation_of(row: tuple[Any, ...]) -> Generation:
    """The generation of a row of :data:`GENERATION_COLUMNS`."""
    state: dict[str, Any] = json.loads(row[13])
    for name, decode in _DECODERS.items():
        if name in state:
            state[name] = decode(state[name])
    return Generation(
        id=row[0],
        owner=row[1],
        generator=row[2],
        provider=row[3],
        artifact_type=row[4],
        phase=row[5],
        priority=row[6],
        dedupe_key=row[7],
        created_at=row[8],
        finished_at=row[9],
        due_at=row[10],
        provider_job_id=row[11],
        canceling=bool(row[12]),
        input=json.loads(row[14]),
        **state,
    )


def attempt_of(generation_id: str, row: tuple[Any, ...]) -> Attempt:
    """The attempt of a row of :data:`ATTEMPT_COLUMNS`."""
    return Attempt(
        generation_id=generation_id,
        number=row[0],
        uuid=row[1],
        idempotency_key=row[2],
        request_digest=row[3],
        epoch=row[4],
        intent_at=row[5],
        token_hash=row[6],
        provider_job_id=row[7],
        job=None if row[8] is None else json.loads(row[8]),
        outcome=row[9],
    )


def event_of(generation_id: str, row: tuple[Any, ...]) -> Event:
    """The event of a row of :data:`EVENT_COLUMNS`."""
    number, kind, at, data = row
    return Event(number, generation_id, kind, at, {} if data is None else json.loads(data))
