"""What a generation costs beside the HTTP calls that it cannot do without.

The floor does the same calls by hand on aiohttp, hashing the download, keeping nothing. Both
talk to the Replicate emulator in a process of its own, in one run: compare the ratio, never the
times. Usage: ``python tests/bench/bench_engine.py [JOBS] [CONCURRENCY]``.
"""

import asyncio
import gc
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from boards import Boards

POLL = 0.02
EMULATOR = """
import asyncio
from boards.testing.emulators.replicate import ReplicateEmulator
from boards.testing.emulators.server import Knobs

async def main():
    emulator = ReplicateEmulator(Knobs(queue_seconds=0.0, run_seconds=0.01))
    print(await emulator.start(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

GENERATOR: dict[str, Any] = {
    "name": "bench",
    "artifact_type": "image",
    "provider": "bench",
    "io": {
        "input_schema": {
            "type": "object",
            "properties": {"prompt": {"type": "string"}, "seed": {"type": "integer"}},
            "required": ["prompt"],
        }
    },
    "execution": {
        "submit": {
            "path": "/models/black-forest-labs/flux-schnell/predictions",
            "json": {"input": {"prompt": "${input.prompt}", "seed": "${input.seed?}"}},
            "capture": {"id": "body.id", "get": "body.urls.get"},
        },
        "poll": {"url": "${job.get}", "every": "20ms", "backoff": 1},
        "status": {
            "at": "body.status",
            "map": {"starting": "queued", "processing": "running", "succeeded": "succeeded"},
            "unknown": "fail",
        },
        "extract": {"output_paths": ["output"]},
    },
}

# All jobs draw the same picture: drawing it is the emulator's work, not what is measured.
INPUT = {"prompt": "a cat", "seed": 1}


def cpu() -> float:
    """Seconds of CPU that this process used, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(
    name: str, job: Callable[[], Awaitable[int]], jobs: int, concurrency: int
) -> dict[str, Any]:
    """Run jobs, so many at once; what they cost."""
    semaphore = asyncio.Semaphore(concurrency)

    async def one() -> int:
        async with semaphore:
            return await job()

    await job()
    gc.collect()
    wall, used = time.perf_counter(), cpu()
    sizes = await asyncio.gather(*(one() for _ in range(jobs)))
    wall, used = time.perf_counter() - wall, cpu() - used
    assert min(sizes) > 1000
    return {
        "case": name,
        "jobs": jobs,
        "at once": concurrency,
        "jobs/s": round(jobs / wall),
        "cpu ms/job": round(used / jobs * 1000, 2),
    }


async def floor(base_url: str, jobs: int, concurrency: int) -> dict[str, Any]:
    """The calls by hand."""
    headers = {"Authorization": "Bearer x"}
    connector = aiohttp.TCPConnector(limit=2 * concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def job() -> int:
            url = f"{base_url}/v1{GENERATOR['execution']['submit']['path']}"
            async with session.post(url, json={"input": INPUT}) as reply:
                prediction = await reply.json()
            while prediction["status"] != "succeeded":
                await asyncio.sleep(POLL)
                async with session.get(prediction["urls"]["get"]) as reply:
                    prediction = await reply.json()
            digest, size = hashlib.sha256(), 0
            async with session.get(prediction["output"][0]) as reply:
                async for chunk in reply.content.iter_chunked(65_536):
                    digest.update(chunk)
                    size += len(chunk)
            return size

        return await measure("aiohttp by hand", job, jobs, concurrency)


async def boards(base_url: str, jobs: int, concurrency: int) -> dict[str, Any]:
    """The same through Boards, durable store and storage on."""
    with tempfile.TemporaryDirectory() as home:
        async with Boards(
            home=home,
            environment={"BENCH_KEY": "x"},
            allow_private_hosts=True,
            providers={
                "bench": {
                    "type": "rest",
                    "auth": {"kind": "bearer"},
                    "config": {"base_url": f"{base_url}/v1", "api_key_env": "BENCH_KEY"},
                    "limits": {"concurrency": concurrency},
                }
            },
            generators=[GENERATOR],
        ) as host:

            async def job() -> int:
                generation = await host.generate("bench/bench", input=INPUT)
                return generation.artifacts[0].size

            return await measure("boards", job, jobs, concurrency)


def main() -> None:
    """Print both and their ratio."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    concurrency = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    emulator = subprocess.Popen([sys.executable, "-c", EMULATOR], stdout=subprocess.PIPE, text=True)
    assert emulator.stdout is not None
    base_url = emulator.stdout.readline().strip()
    try:
        for _ in range(3):
            by_hand = asyncio.run(floor(base_url, jobs, concurrency))
            ours = asyncio.run(boards(base_url, jobs, concurrency))
            for result in (by_hand, ours):
                print(json.dumps(result))
            print(
                json.dumps({"ratio of cpu": round(ours["cpu ms/job"] / by_hand["cpu ms/job"], 2)})
            )
    finally:
        emulator.kill()
        emulator.wait()


if __name__ == "__main__":
    main()
