"""Making a submit ready: its attempt, its request with the files, and what it is known by."""

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from boards.adapters import Job
from boards.engine.files import FileForms
from boards.engine.rest import ProviderClient
from boards.engine.webhooks import token_hash
from boards.generations import Attempt
from boards.spec.compile import CompiledSubmit
from boards.spec.paths import ABSENT
from boards.spec.requests import FilePart, Rendered

if TYPE_CHECKING:
    from boards.engine.flight import Flight
    from boards.engine.machine import Machine

__all__ = ["Sending", "new_attempt", "prepared"]


@frozen
class Sending:
    """A submit on its way.

    Attributes:
        job: What the stages are told.
        chosen: The variant; None where the provider's adapter submits.
        rendered: Its request; None likewise.
        account: Where it goes, and as whom: a key is known again only there.
        replayed: It was sent before, with the same key, and may have been accepted then.
    """

    job: Job
    chosen: CompiledSubmit | None
    rendered: Rendered | None
    account: str
    replayed: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of what would be sent, and to which account."""
        return _digest(self.job.input if self.rendered is None else self.rendered, self.account)


def new_attempt(machine: "Machine", flight: "Flight") -> Attempt:
    """The next attempt of a flight: nothing of it is committed yet."""
    number = flight.attempt.number + 1 if flight.attempt is not None else 1
    own = str(uuid.uuid4())
    addresses = machine.addresses if flight.compiled.run.webhook is not None else None
    return Attempt(
        generation_id=flight.generation.id,
        number=number,
        uuid=own,
        idempotency_key=f"{flight.generation.id}-{number}",
        request_digest="",
        epoch=machine.store.epoch,
        intent_at=time.time(),
        token_hash=None if addresses is None else token_hash(addresses.token(own)),
    )


async def prepared(
    machine: "Machine", flight: "Flight", client: ProviderClient, attempt: Attempt
) -> Sending:
    """The request of the variant that fits, its files ready: fetched, and uploaded where need be.

    Args:
        machine: The machine.
        flight: Queued; or submitting, to be sent again.
        client: Of the provider.
        attempt: Whose request it is.

    Raises:
        RenderError: The request cannot be rendered.
        ProviderError: A file cannot be made ready, or an adapter refuses.
    """
    before, flight.attempt = flight.attempt, attempt
    try:
        job = machine.job(flight)
    finally:
        flight.attempt = before
    chosen = flight.compiled.choose_submit(job.scope)
    if chosen is None:
        return Sending(job, None, None, client.account)
    stages = machine.stages(flight.generation.provider)
    upload = machine.uploads.of(client, job.generation.id, partial(stages.upload, job))
    known = chosen.idempotency is not None
    links = machine.uploads.links(machine.storage, client.account, attempt) if known else None
    forms = FileForms(client, machine.storage, upload, machine.downloader, links, flight.files)
    scope = {**job.scope, "files": forms}
    rendered = chosen.request.render(scope)
    if await forms.prepare():
        rendered = chosen.request.render(scope)
    if chosen.idempotency is not None and chosen.idempotency.header is not None:
        headers = {**rendered.headers, chosen.idempotency.header: attempt.idempotency_key}
        rendered = evolve(rendered, headers=headers)
    return Sending(job, chosen, await stages.prepare(job, rendered), client.account)


def _digest(sent: Rendered | Mapping[str, Any], account: str) -> str:
    def plain(value: Any) -> Any:
        if value is ABSENT:
            return None
        if isinstance(value, FilePart):
            return hashlib.sha256(value.content).hexdigest()
        return str(value)

    told: Any = sent
    if isinstance(sent, Rendered):
        told = [
            sent.method,
            sent.base,
            sent.url,
            sent.query,
            plain(sent.json) if sent.json is ABSENT else sent.json,
            sent.form,
            sent.multipart,
            sent.body,
        ]
    text = json.dumps([account, told], sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()
