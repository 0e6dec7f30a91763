"""A provider inside the process: replies without sockets, so that the engine alone is measured."""

import gc
import json
import multiprocessing
import os
import resource
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from boards import Boards
from boards.engine.transport import Request, UnsentError

__all__ = ["Instant", "alone", "cpu", "opened", "peak", "resident"]

T = TypeVar("T")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
GENERATOR: dict[str, Any] = {
    "name": "instant",
    "artifact_type": "image",
    "provider": "instant",
    "io": {
        "input_schema": {
            "type": "object",
            "properties": {
                "prompt": {"type": "string"},
                "width": {"type": "integer", "default": 1024},
                "height": {"type": "integer", "default": 1024},
                "seed": {"type": "integer"},
            },
            "required": ["prompt"],
        }
    },
    "execution": {
        "submit": {
            "path": "/jobs",
            "json": {
                "prompt": "${input.prompt}",
                "size": "${input.width}x${input.height}",
                "seed": "${input.seed?}",
            },
            "capture": {"id": "body.id", "get": "body.urls.get"},
        },
        "poll": {"url": "${job.get}"},
        "status": {
            "at": "body.status",
            "map": {"starting": "queued", "processing": "running", "succeeded": "succeeded"},
            "unknown": "fail",
        },
        "extract": {"output_paths": ["output"]},
    },
}
"""As a spec of Replicate reads, which is what most jobs are."""


class InstantReply:
    """A reply that is there at once."""

    __slots__ = ("_content", "headers", "status")

    def __init__(self, content: bytes, media: str) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {"content-type": media}
        self._content = content

    async def read(self, limit: int) -> bytes:
        return self._content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None:
        pass


class Instant:
    """A transport that answers itself.

    Attributes:
        done: Whether jobs are told to be done, from now on.
        submits: How many there were.
        polls: How many there were.
    """

    def __init__(self, *, done: bool = False) -> None:
        self.done = done
        self.submits = self.polls = 0

    async def send(self, request: Request) -> InstantReply:
        if request.url.endswith(".png"):
            return InstantReply(PNG, "image/png")
        status = "processing"
        if request.method == "POST":
            self.submits += 1
            job, status = f"{self.submits:026x}", "starting"
        else:
            self.polls += 1
            job = request.url.rpartition("/")[2]
            if self.done:
                status = "succeeded"
        told = {
            "id": job,
            "model": "a/b",
            "status": status,
            "input": {"prompt": "a cat in the snow", "width": 1024, "height": 1024},
            "output": [f"https://instant.example/{job}.png"] if status == "succeeded" else None,
            "logs": "",
            "urls": {"get": f"https://instant.example/jobs/{job}"},
        }
        return InstantReply(json.dumps(told).encode(), "application/json")

    async def connect(self, url: str, seconds: float | None) -> Any:
        raise UnsentError("there are no websockets here")

    async def close(self) -> None:
        pass


def opened(home: Path, transport: Instant, every: str, *, concurrency: int = 200) -> Boards:
    """A host whose one provider is the transport."""
    execution = {**GENERATOR["execution"]}
    execution["poll"] = {**execution["poll"], "every": every, "max_every": every, "backoff": 1}
    return Boards(
        home=home,
        environment={"INSTANT_KEY": "a-secret-key"},
        transport=transport,
        providers={
            "instant": {
                "type": "rest",
                "auth": {"kind": "bearer"},
                "config": {"base_url": "https://instant.example", "api_key_env": "INSTANT_KEY"},
                "limits": {"concurrency": concurrency},
            }
        },
        generators=[{**GENERATOR, "execution": execution}],
    )


def alone(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a process of its own, so that its memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(function, *arguments).result()


def cpu() -> float:
    """Seconds of CPU that this process used, user and system, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> float:
    """Megabytes of memory that this process has now; the peak where the system tells no more."""
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak() -> float:
    """Megabytes of memory that this process had at the most."""
    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
