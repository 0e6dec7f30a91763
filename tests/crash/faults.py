"""Death at a named moment: a store, a storage and a transport that fall at a row of the table.

Nothing of this is in the engine: it is handed these in place of its own, and they are its own but
for the moment at which they end the process.
"""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Final, Literal

from attrs import frozen

from boards.engine.transport import Reply, Request, Socket, Transport
from boards.generations import Generation
from boards.storage import Blob, BlobWriter
from boards.storage.local import LocalStorage
from boards.store import Change
from boards.store.sqlite import SQLiteStore

__all__ = ["Fall", "Falling", "FallingStorage", "FallingStore", "FallingTransport"]

_INSIDE: Final = 1 << 20
"""Bytes of an output that have gone to a temporary file ``inside a download``."""


@frozen
class Fall:
    """Where a host ends, or stops.

    Attributes:
        moment: ``before row``, ``after row``; ``before PHASE``, ``after PHASE`` for the commit of a
            transition; ``before WHAT request``, ``after WHAT request`` (the head of the reply is
            there, and nobody has read it) for ``submit poll list cancel file``; ``inside
            download``; ``before rename``, ``after rename``; ``before wish``, ``after wish``.
        nth: The first time, or a later one.
        how: Be killed, or be stopped as by a debugger or a suspended machine.
    """

    moment: str
    nth: int = 1
    how: Literal["kill", "stop"] = "kill"


class Falling:
    """Counts moments, and ends the process at the one that was asked for.

    Args:
        fall: Where; None for a host that lives.
        note: Where the moment is told before the end.
    """

    def __init__(self, fall: Fall | None, note: Path) -> None:
        self._fall = fall
        self._note = note
        self._left = fall.nth if fall is not None else 0
        self._lock = threading.Lock()

    def at(self, moment: str, told: str = "") -> None:
        """A moment has come."""
        fall = self._fall
        if fall is None or moment != fall.moment:
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        if fall.how == "stop":
            time.sleep(0.2)  # what stops in the middle of a commit stops all who share the database
            # Another process stops this one, and tells of it afterwards: whoever reads the note and
            # continues this one can be sure to come after the stop.
            script = 'kill -STOP "$1"; printf %s "$2" > "$3"'
            arguments = ("sh", str(os.getpid()), told, str(self._note))
            subprocess.run(["sh", "-c", script, *arguments], check=True)
            return
        self._note.write_text(told)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # a signal to oneself may need a moment


class FallingStore(SQLiteStore):
    """The store, with a moment on either side of each commit."""

    def __init__(self, path: Path, falling: Falling, **options: Any) -> None:
        super().__init__(path, **options)
        self._falling = falling

    async def create(self, generation: Generation, *rest: Any, **options: Any) -> Generation:
        self._falling.at("before row", _prompt(generation))
        created = await super().create(generation, *rest, **options)
        self._falling.at("after row", _prompt(generation))
        return created

    async def cas(self, change: Change) -> bool:
        after = change.generation
        self._falling.at(f"before {after.phase}", _prompt(after))
        applied = await super().cas(change)
        self._falling.at(f"after {after.phase}", _prompt(after))
        return applied

    async def wish_cancel(self, generation_id: str) -> Generation | None:
        self._falling.at("before wish")
        wished = await super().wish_cancel(generation_id)
        self._falling.at("after wish")
        return wished


class FallingStorage(LocalStorage):
    """The storage, with moments inside a download and around the rename."""

    def __init__(self, root: Path, falling: Falling) -> None:
        super().__init__(root)
        self._falling = falling

    def writer(self) -> BlobWriter:
        return _FallingWriter(super().writer(), self._falling)

    def _keep(self, temporary: Path, key: str) -> None:
        self._falling.at("before rename")
        super()._keep(temporary, key)
        self._falling.at("after rename")


class _FallingWriter:
    def __init__(self, writer: BlobWriter, falling: Falling) -> None:
        self._writer = writer
        self._falling = falling

    @property
    def size(self) -> int:
        return self._writer.size

    @property
    def head(self) -> bytes:
        return self._writer.head

    async def write(self, chunk: bytes) -> None:
        await self._writer.write(chunk)
        if self._writer.size > _INSIDE + (1 << 17):
            self._falling.at("inside download")

    async def commit(self, extension: str) -> Blob:
        return await self._writer.commit(extension)

    async def abort(self) -> None:
        await self._writer.abort()


class FallingTransport:
    """A transport, with a moment on either side of each request."""

    def __init__(self, transport: Transport, falling: Falling) -> None:
        self._transport = transport
        self._falling = falling

    async def send(self, request: Request) -> Reply:
        what = _what(request)
        self._falling.at(f"before {what} request")
        reply = await self._transport.send(request)
        self._falling.at(f"after {what} request")
        return reply

    async def connect(self, url: str, seconds: float | None) -> Socket:
        return await self._transport.connect(url, seconds)

    async def close(self) -> None:
        await self._transport.close()


def _prompt(generation: Generation) -> str:
    return str(generation.input["prompt"])


def _what(request: Request) -> str:
    """What a request to the paid provider asks for."""
    match request.url.split("/")[4:]:
        case ["jobs"]:
            return "submit" if request.method == "POST" else "list"
        case ["jobs", _]:
            return "poll"
        case ["jobs", _, "cancel"]:
            return "cancel"
        case _:
            return "file"
