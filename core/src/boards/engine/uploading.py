"""Uploads: an input file put where the provider can fetch it, as ``files.upload`` says.

While an upload lives it is used again: for the same bytes, sent in the same way, by the same
account.
"""

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from boards.errors import ProviderError, StoreError
from boards.events import Happening
from boards.generations import Attempt, Generation
from boards.logs import Logger
from boards.spec.paths import ABSENT, first
from boards.spec.requests import CompiledRequest, FilePart
from boards.spec.tokens import Scope, compile_template
from boards.spec.writing import document_of
from boards.storage import Storage
from boards.store.uploads import UploadKey, UploadStore

if TYPE_CHECKING:
    from boards.engine.rest import ProviderClient
    from boards.store import Store

__all__ = ["Uploads", "upload"]

_log = Logger("boards.engine")

_USED: Final = 0.5
"""The part of an upload's life in which it is used again: the job that takes it last may still
wait for the rest of it."""

_LINK: Final = 3600.0
"""Seconds that the public can fetch a file of the storage."""
_LINK_LEFT: Final = 600.0
"""Seconds of them that the provider has at least."""

_Send = Callable[[FilePart], Awaitable[str]]


class Uploads:
    """Has a file uploaded, unless it is at the provider already.

    Args:
        store: Where uploads are kept, if it keeps any.
    """

    def __init__(self, store: "Store") -> None:
        self._kept: UploadStore | None = getattr(store, "uploads", None)
        self._under_way: dict[UploadKey, asyncio.Task[str]] = {}
        self._taken: dict[str, set[UploadKey]] = {}
        self._ways: dict[str, str] = {}

    def of(self, client: "ProviderClient", generation_id: str, send: _Send) -> _Send:
        """How the files of a generation are uploaded.

        Args:
            client: Of the provider.
            generation_id: Whose files.
            send: Uploads a file, whatever is there already.
        """
        spec = client.spec.files.upload if client.spec.files is not None else None
        if self._kept is None or spec is None or spec.expires is None:
            return send
        return partial(self._uploaded, self._kept, client, spec.expires, generation_id, send)

    def links(
        self, storage: Storage, account: str, attempt: Attempt
    ) -> Callable[[str], Awaitable[str | None]]:
        """The public addresses of the storage's files, the same whenever an attempt is sent again.

        A storage may sign another one each time, and a key is known again only with its request.

        Args:
            storage: Where the files are.
            account: Where the attempt goes, and as whom.
            attempt: Whose files.
        """
        kept = self._kept
        if kept is None:
            return storage.url

        async def link(name: str) -> str | None:
            how = hashlib.sha256(f"link {attempt.uuid} {name}".encode()).hexdigest()
            key = UploadKey(account, name.partition(".")[0], how)
            now = time.time()
            if (found := await kept.get(key, now)) is not None:
                return found
            address = await storage.url(name, expires=_LINK)
            if address is not None:
                await kept.keep(key, address, at=now, until=now + _LINK - _LINK_LEFT)
            return address

        return link

    async def _uploaded(
        self,
        kept: UploadStore,
        client: "ProviderClient",
        life: float,
        generation_id: str,
        send: _Send,
        file: FilePart,
    ) -> str:
        digest = await asyncio.to_thread(hashlib.sha256, file.content)
        key = UploadKey(client.account, digest.hexdigest(), self._way(client, file.mime))
        task = self._under_way.get(key)
        if task is None:
            if (found := await kept.get(key, time.time())) is not None:
                self._taken.setdefault(generation_id, set()).add(key)
                return found
            task = self._under_way.get(key)  # of another, who looked at the same time
        if task is None:
            task = asyncio.create_task(_sent(kept, client, key, life, send, file))
            self._under_way[key] = task
            task.add_done_callback(partial(self._over, key))
        else:
            self._taken.setdefault(generation_id, set()).add(key)
        return await asyncio.shield(task)  # whoever began it may be canceled; others wait for it

    def _way(self, client: "ProviderClient", mime: str) -> str:
        """The digest of how a provider takes a file of a media type."""
        way = self._ways.get(client.name)
        if way is None:
            spec = document_of(client.spec)
            parts = (spec.get("files"), spec.get("headers"), spec.get("adapter"))
            way = self._ways[client.name] = json.dumps([client.name, *parts], sort_keys=True)
        return hashlib.sha256(f"{mime} {way}".encode()).hexdigest()

    def _over(self, key: UploadKey, task: "asyncio.Task[str]") -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # nobody may be left who looks

    def committed(self, generation: Generation, happenings: Sequence[Happening]) -> None:
        """Told by the store after each commit of this process.

        What failed with an upload of before, or went to another provider, may have done so because
        that is gone: it is used no more. The error need not say so, and an upload is cheap.
        """
        if generation.id not in self._taken:
            return
        moved = any(one.type == "fallback" for one in happenings)
        if not (moved or generation.final):
            return
        keys = self._taken.pop(generation.id)
        if (moved or generation.phase == "failed") and self._kept is not None:
            with contextlib.suppress(StoreError):  # it closes
                self._kept.forget(keys)

    async def close(self) -> None:
        """Let go of what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _sent(
    kept: UploadStore,
    client: "ProviderClient",
    key: UploadKey,
    life: float,
    send: _Send,
    file: FilePart,
) -> str:
    """Upload a file, and keep where it is, if it can be told whose it is there."""
    began = time.time()
    address = await send(file)
    if client.has_hidden_secrets:
        return address
    try:
        await kept.keep(key, address, at=began, until=began + _USED * life)
    except StoreError as error:  # the next file is uploaded again
        _log.warning("an upload is not kept", error=error.message)
    return address


async def upload(client: "ProviderClient", scope: Scope, file: FilePart) -> str:
    """Upload a file, and return what a request says instead of it: mostly its URL.

    Raises:
        ProviderError: The provider refused it, takes no uploads, or did not tell where it is.
    """
    spec = client.spec.files.upload if client.spec.files is not None else None
    if spec is None:
        raise ProviderError(
            "invalid_input", f"{client.name} takes no uploads.", provider=client.name
        )
    own: dict[str, Any] = {
        "config": client.config,
        "run": scope["run"],
        "file": {
            "name": file.name,
            "mime": file.mime,
            "size": len(file.content),
            "bytes": file,
        },
    }
    reply = await client.repeat(CompiledRequest(spec.init, client.spec.headers).render(own))
    own["upload"] = _captured(spec.capture, reply)
    if spec.put is not None:
        # The provider's headers belong to its API, not to the store behind a signed URL.
        await client.repeat(CompiledRequest(spec.put).render(own))
    return str(compile_template(spec.result)(own))


def _captured(capture: Mapping[str, Any], reply: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: first(path)(reply) for name, path in capture.items()}
    lacking = [name for name, value in found.items() if value is ABSENT or value is None]
    if lacking:
        raise ProviderError(
            "provider", f"The reply to an upload lacks {', '.join(lacking)}: nothing was submitted."
        )
    return found
