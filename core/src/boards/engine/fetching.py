"""The last step: bring the outputs home before their URLs expire, and name the artifacts."""

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from attrs import asdict, evolve

from boards.artifacts import Artifact, ArtifactType, extension_of, type_of
from boards.engine.download import too_large
from boards.engine.facts import facts_of
from boards.engine.files import parse_data_uri
from boards.engine.media import as_wanted, mismatch, sniff
from boards.engine.rest import ProviderClient
from boards.errors import BoardsError, ProviderError
from boards.events import Happening
from boards.generations import Attempt, Output
from boards.logs import Logger, traceback_of
from boards.runner import Again, Done
from boards.spec.hosts import origin
from boards.spec.replies import Found
from boards.spec.tokens import RenderError
from boards.storage import Blob

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["announce", "fetch"]

_log = Logger("boards.engine")

_LARGE: Final = 262_144
"""Encoded bytes from which decoding goes to a thread."""
_PATIENCE: Final = 24 * 3600.0
"""Seconds for which outputs of unknown life are tried again."""
_MISSING_TRIES: Final = 3
"""A file store may not know its own new file for a moment."""
_EMPTY: Final = "The output is empty."
_AFTER_FAILURE: Final = (0.5, 60.0)


async def announce(
    machine: "Machine", flight: "Flight", found: Sequence[Found], *, attempt: Attempt | None = None
) -> Again | Done:
    """Commit what the provider announced, then fetch it.

    Bytes and texts that came with the reply go into the storage first: a reply is not asked for
    twice. Where nothing is left to fetch, the generation is finished in the same commit.
    """
    try:
        outputs = tuple([await _kept(machine, flight, one) for one in found])
    except ProviderError as error:
        return await machine.fail(
            flight, error.kind, error.message, remedy=error.remedy, maybe_charged=True,
            attempt=attempt,
        )  # fmt: skip
    if all(output.key is not None for output in outputs):
        try:
            return await _finish(machine, flight, outputs, attempt=attempt)
        except ProviderError as error:
            return await machine.fail(
                flight, error.kind, error.message, maybe_charged=True, attempt=attempt
            )
    if not await machine.commit(
        flight,
        "fetching",
        Happening("fetching", {"outputs": len(outputs)}),
        attempt=attempt,
        outputs=outputs,
        **_acceptance(attempt),
    ):
        return Again(0)
    flight.failures = 0
    if attempt is not None:  # a submit is not to be interrupted, a download may be
        return Again(0)
    return await fetch(machine, flight)


def _acceptance(attempt: Attempt | None) -> dict[str, Any]:
    """What a synchronous submit adds to the commit that ends it."""
    if attempt is None:
        return {}
    return {"provider_job_id": attempt.provider_job_id, "submitted_at": time.time()}


async def _kept(machine: "Machine", flight: "Flight", found: Found) -> Output:
    """An announced output; its bytes in the storage if they came with the reply."""
    if found.request is not None:
        return await _requested(machine, flight, found)
    if found.form == "url":
        if not isinstance(found.value, str):
            raise ProviderError("provider", f"An output is {found.value!r}, not a URL.")
        expires = None if found.expires is None else time.time() + found.expires
        return Output("url", found.value, None, found.mime, expires, found.fetch_auth, found.meta)
    content, mime = await _decoded(found)
    if not content and found.form not in ("text", "json"):
        raise ProviderError("provider", _EMPTY)
    if len(content) > machine.max_output:
        raise too_large(f"{len(content):,} bytes", machine.max_output)
    writer = machine.storage.writer()
    await writer.write(content)
    sniffed = as_wanted(sniff(content[:512]), _artifact_type(flight))
    blob = await writer.commit(extension_of(sniffed or mime))
    flight.blobs[blob.key] = blob
    return Output(
        "text" if found.form in ("text", "json") else "inline",
        None,
        blob.key,
        mime,
        None,
        "none",
        found.meta,
    )


async def _requested(machine: "Machine", flight: "Flight", found: Found) -> Output:
    """An output that has a request of its own: its address, as it is from now on."""
    assert found.request is not None  # noqa: S101  # the caller looked
    client = machine.client(flight.generation.provider)
    try:
        rendered = found.request.render({**machine.job(flight).scope, "item": found.value})
        url = client.url(rendered)
    except RenderError as error:
        raise ProviderError("provider", f"The reply does not fit the spec: {error}") from error
    expires = None if found.expires is None else time.time() + found.expires
    fetch_auth = "provider" if rendered.authenticated else "none"
    headers = dict(rendered.headers)
    return Output("url", url, None, found.mime, expires, fetch_auth, found.meta, headers)


async def _decoded(found: Found) -> tuple[bytes, str]:
    value = found.value
    match found.form:
        case "text":
            return str(value).encode(errors="replace"), found.mime or "text/plain"
        case "json":
            return str(value).encode(errors="replace"), found.mime or "application/json"
        case "bytes" if isinstance(value, bytes):
            return value, found.mime or "application/octet-stream"
        case "data_uri" | "base64" if isinstance(value, str):
            decode = _from_uri if found.form == "data_uri" else _from_base64
            try:
                if len(value) > _LARGE:
                    content, mime = await asyncio.to_thread(decode, value)
                else:
                    content, mime = decode(value)
            except ValueError as error:
                raise ProviderError("provider", f"An output cannot be decoded: {error}.") from error
            return content, found.mime or mime
        case _:
            raise ProviderError("provider", f"An output is not {found.form}, as the spec says.")


def _from_uri(value: str) -> tuple[bytes, str]:
    try:
        return parse_data_uri(value)
    except ValueError:
        return parse_data_uri(_unbroken(value))


def _from_base64(value: str) -> tuple[bytes, str]:
    try:
        return base64.b64decode(_unbroken(value), validate=True), "application/octet-stream"
    except binascii.Error as error:
        raise ValueError(f"bad base64: {error}") from None


def _unbroken(value: str) -> str:
    """Base64 without line breaks: RFC 2045 has one after 76 characters, and many encoders do."""
    return "".join(value.split())


async def fetch(machine: "Machine", flight: "Flight") -> Again | Done:
    """Fetch what is announced, the soonest to expire first, and finish."""
    outputs = [await _still_there(machine, flight, one) for one in flight.generation.outputs]
    order = sorted(
        (index for index, output in enumerate(outputs) if output.key is None),
        key=lambda index: outputs[index].expires_at or float("inf"),
    )
    # All come to an end, so that none is fetched twice because another one failed.
    fetched = await asyncio.gather(
        *(_fetch_one(machine, flight, outputs[index]) for index in order), return_exceptions=True
    )
    errors: list[ProviderError] = []
    for index, one in zip(order, fetched, strict=True):
        if isinstance(one, Output):
            outputs[index] = one
        elif isinstance(one, ProviderError):
            errors.append(one)
        elif isinstance(one, BoardsError) or not isinstance(one, Exception):
            raise one
        else:  # a mistake, an adapter's maybe: tried again for as long as the outputs live
            client = machine.client(flight.generation.provider)
            _log.error("an output cannot be fetched", exception=client.scrub(traceback_of(one)))
            errors.append(ProviderError("transient", client.mistake(one)))
    try:
        if errors:
            raise min(errors, key=lambda error: error.retryable)
        return await _finish(machine, flight, tuple(outputs))
    except ProviderError as error:
        flight.generation = evolve(flight.generation, outputs=tuple(outputs))
        return await _failed(machine, flight, error)


async def _still_there(machine: "Machine", flight: "Flight", output: Output) -> Output:
    """An output; to be fetched once more if the storage has lost it since."""
    if output.key is None or output.url is None or await _blob(machine, flight, output.key):
        return output
    return evolve(output, key=None)


async def _blob(machine: "Machine", flight: "Flight", key: str) -> Blob | None:
    return flight.blobs.get(key) or await machine.storage.stat(key)


async def _failed(machine: "Machine", flight: "Flight", error: ProviderError) -> Again | Done:
    """Try again while the URLs live; a job that was paid for is not given up lightly."""
    flight.failures += 1
    lacking = [output for output in flight.generation.outputs if output.key is None]
    ends = [output.expires_at for output in lacking if output.expires_at is not None]
    expired = time.time() > (min(ends) if ends else _patience_ends(flight))
    missing = error.kind == "not_found"
    if expired and (missing or error.retryable):
        return await machine.fail(
            flight,
            "expired",
            f"The output expired before it could be fetched: {error.message}",
            maybe_charged=True,
        )
    if error.retryable or (missing and flight.failures < _MISSING_TRIES):
        first, most = _AFTER_FAILURE
        seconds = min(first * 2 ** min(flight.failures - 1, 16), most)
        happening = Happening("retrying", {"reason": error.message, "seconds": seconds})
        await machine.note(flight, happening)
        return Again(time.time() + seconds)
    return await machine.fail(
        flight, error.kind, error.message, remedy=error.remedy, maybe_charged=True
    )


def _patience_ends(flight: "Flight") -> float:
    """Until when outputs of unknown life are tried again; Unix seconds."""
    return (flight.generation.submitted_at or flight.generation.created_at) + _PATIENCE


async def _fetch_one(machine: "Machine", flight: "Flight", output: Output) -> Output:
    assert output.url is not None  # noqa: S101  # only URLs are fetched
    url, headers = await _addressed(machine.client(flight.generation.provider), output)
    ends = output.expires_at or _patience_ends(flight)
    downloaded = await machine.downloader.fetch(url, headers, expires_at=ends)
    wanted = _artifact_type(flight)
    head = downloaded.writer.head
    declared = output.mime or downloaded.content_type
    sniffed = as_wanted(sniff(head), wanted)
    if downloaded.writer.size == 0:
        await downloaded.writer.abort()
        raise ProviderError("provider", _EMPTY)
    if told := mismatch(sniffed, wanted, head):
        await downloaded.writer.abort()
        raise ProviderError(
            "provider", f"The output is {told}, not {wanted}, as the generator declares."
        )
    mime = sniffed or declared or "application/octet-stream"
    blob = await downloaded.writer.commit(extension_of(mime))
    flight.blobs[blob.key] = blob
    return evolve(output, key=blob.key, mime=mime)


async def _addressed(client: ProviderClient, output: Output) -> tuple[str, Mapping[str, str]]:
    """The URL and the headers that fetch an output, with credentials where the spec says so."""
    assert output.url is not None  # noqa: S101  # only URLs are fetched
    match output.fetch_auth:
        case "same_origin":
            own = origin(str(client.config.get("base_url", "")))
            with_credentials = own is not None and origin(output.url) == own
        case "provider":
            with_credentials = output.url in client.trusted
        case _:
            with_credentials = False
    if not with_credentials:
        return output.url, output.headers
    request = await client.credentials(output.url)
    return request.url, {**output.headers, **request.headers}


def _artifact_type(flight: "Flight") -> ArtifactType:
    return flight.compiled.spec.artifact_type  # type: ignore[return-value]  # the reader's choice


async def _finish(
    machine: "Machine",
    flight: "Flight",
    outputs: tuple[Output, ...],
    *,
    attempt: Attempt | None = None,
) -> Done:
    """Name the artifacts and end in success."""
    wanted = _artifact_type(flight)
    generation = flight.generation
    cost = flight.told or generation.cost
    artifacts = tuple(
        [
            await _artifact(machine, flight, index, output, wanted)
            for index, output in enumerate(outputs)
        ]
    )
    await machine.commit(
        flight,
        "succeeded",
        *(Happening("artifact", artifact.as_dict()) for artifact in artifacts),
        Happening("succeeded", {"artifacts": len(artifacts), "cost": cost and cost.as_dict()}),
        attempt=attempt,
        artifacts=artifacts,
        outputs=(),
        progress=evolve(generation.progress, status="running", percent=100.0, queue_position=None),
        finished_at=time.time(),
        **_acceptance(attempt),
    )
    return Done()


async def _artifact(
    machine: "Machine", flight: "Flight", index: int, output: Output, wanted: ArtifactType
) -> Artifact:
    assert output.key is not None  # noqa: S101  # all were fetched
    blob = await _blob(machine, flight, output.key)
    if blob is None:
        raise ProviderError("transient", f"The storage has lost {output.key}.")
    mime = output.mime or "application/octet-stream"
    if output.form == "inline":
        mime = as_wanted(sniff(blob.head), wanted) or mime
        known = None if mime == "application/octet-stream" else mime
        if other := mismatch(known, wanted):
            raise ProviderError("provider", f"The output is {other}, not {wanted}.")
    kind = wanted if wanted in ("text", "model", "intermediate") else type_of(mime) or wanted
    told = await facts_of(machine.storage, blob, mime)
    return Artifact(
        id=f"{flight.generation.id}.{index}",
        type=kind,
        mime=mime,
        size=blob.size,
        sha256=blob.sha256,
        key=blob.key,
        path=machine.storage.path(blob.key),
        meta=_finite(output.meta),
        **asdict(told),
    )


def _finite(told: Any) -> Any:
    """Facts as JSON has them: Python reads NaN and Infinity in a reply, and nobody else does."""
    if isinstance(told, float):
        return told if isfinite(told) else None
    if isinstance(told, Mapping):
        return {name: _finite(value) for name, value in told.items()}
    return [_finite(value) for value in told] if isinstance(told, list) else told
