"""What a generation costs beside the HTTP calls that it cannot do without.

The floor does the same calls by hand on aiohttp, hashing the download, keeping nothing. Both
talk to the Replicate emulator in a process of its own, in one run: compare the ratio, never the
times. The cases differ in how many jobs there are, how long the provider takes to answer, and how
long a job runs, which is how often it is polled. Usage::

    python tests/bench/bench_engine.py [CASE ...]
"""

import asyncio
import gc
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from attrs import asdict, frozen

from boards import Boards

EMULATOR = """
import asyncio, os, sys
from boards.testing.emulators.replicate import ReplicateEmulator, api
from boards.testing.emulators.server import Knobs

# Each file is another one, and none of them is drawn: that is not what is measured.
deliver = api.deliver
api.deliver = lambda request, content, mime: deliver(request, content + os.urandom(16), mime)

async def main(latency, run, tls):
    knobs = Knobs(queue_seconds=0.0, run_seconds=run, latency_seconds=latency)
    emulator = ReplicateEmulator(knobs)
    print(await emulator.start(tls=bool(tls)), emulator.ca_file, flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*map(float, sys.argv[1:])))
"""


@frozen
class Case:
    """What is run, by hand and through Boards.

    Attributes:
        jobs: How many.
        latency: Seconds until the provider answers any request.
        run: Seconds that a job runs.
        poll: Seconds between two polls.
        concurrency: Jobs at once.
        tls: Over HTTPS, as every provider is asked.
    """

    jobs: int
    latency: float = 0.0
    run: float = 0.01
    poll: float = 0.02
    concurrency: int = 50
    tls: bool = False


CASES = {
    "short": Case(200),
    "many": Case(5_000),
    "tls": Case(1_000, tls=True),
    "slow": Case(200, latency=0.05),
    "many-slow": Case(5_000, latency=0.05, concurrency=400),
    "long": Case(200, run=2.0, poll=0.1),
    "many-long": Case(5_000, run=2.0, poll=0.1, concurrency=1_000),
}

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
        "poll": {"url": "${job.get}", "backoff": 1},
        "status": {
            "at": "body.status",
            "map": {"starting": "queued", "processing": "running", "succeeded": "succeeded"},
            "unknown": "fail",
        },
        "extract": {"output_paths": ["output"]},
    },
}

INPUT = {"prompt": "a cat", "seed": 1}


def cpu() -> float:
    """Seconds of CPU that this process used, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def measure(name: str, job: Callable[[], Awaitable[int]], case: Case) -> dict[str, Any]:
    """Run jobs, so many at once; what they cost."""
    semaphore = asyncio.Semaphore(case.concurrency)

    async def one() -> int:
        async with semaphore:
            return await job()

    await job()
    gc.collect()
    wall, used = time.perf_counter(), cpu()
    sizes = await asyncio.gather(*(one() for _ in range(case.jobs)))
    wall, used = time.perf_counter() - wall, cpu() - used
    assert min(sizes) > 1000
    return {
        "by": name,
        "jobs/s": round(case.jobs / wall),
        "cpu ms/job": round(used / case.jobs * 1000, 2),
    }


async def floor(base_url: str, case: Case) -> dict[str, Any]:
    """The calls by hand."""
    headers = {"Authorization": "Bearer x"}
    # As the transport of Boards does, it finds the emulator's certificate in SSL_CERT_FILE.
    connector = aiohttp.TCPConnector(limit=2 * case.concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def job() -> int:
            url = f"{base_url}/v1{GENERATOR['execution']['submit']['path']}"
            async with session.post(url, json={"input": INPUT}) as reply:
                prediction = await reply.json()
            while prediction["status"] != "succeeded":
                await asyncio.sleep(case.poll)
                async with session.get(prediction["urls"]["get"]) as reply:
                    prediction = await reply.json()
            digest, size = hashlib.sha256(), 0
            async with session.get(prediction["output"][0]) as reply:
                async for chunk in reply.content.iter_chunked(65_536):
                    digest.update(chunk)
                    size += len(chunk)
            return size

        return await measure("aiohttp by hand", job, case)


async def boards(base_url: str, case: Case) -> dict[str, Any]:
    """The same through Boards, durable store and storage on."""
    execution = GENERATOR["execution"]
    poll = {**execution["poll"], "every": f"{case.poll * 1000:g}ms"}
    generator = {**GENERATOR, "execution": {**execution, "poll": poll}}
    with tempfile.TemporaryDirectory() as home:
        async with Boards(
            home=home,
            environment={"BENCH_KEY": "r8_0123456789abcdefghij"},
            allow_private_hosts=True,
            providers={
                "bench": {
                    "type": "rest",
                    "auth": {"kind": "bearer"},
                    "config": {"base_url": f"{base_url}/v1", "api_key_env": "BENCH_KEY"},
                    "limits": {"concurrency": case.concurrency},
                }
            },
            generators=[generator],
        ) as host:

            async def job() -> int:
                generation = await host.generate("bench/bench", input=INPUT)
                return generation.artifacts[0].size

            return await measure("boards", job, case)


def compare(base_url: str, case: Case) -> None:
    """Print both and their ratio."""
    by_hand = asyncio.run(floor(base_url, case))
    ours = asyncio.run(boards(base_url, case))
    ratio = round(ours["cpu ms/job"] / by_hand["cpu ms/job"], 2)
    for result in (by_hand, ours, {"ratio of cpu": ratio}):
        print(json.dumps(result), flush=True)


def main() -> None:
    """Compare in each case, twice, each time in a process that has done nothing else."""
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        print(json.dumps({"case": name, **asdict(case)}), flush=True)
        knobs = [str(float(one)) for one in (case.latency, case.run, case.tls)]
        command = [sys.executable, "-c", EMULATOR, *knobs]
        emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert emulator.stdout is not None
        base_url, certificate = emulator.stdout.readline().split()
        try:
            for _ in range(2):
                command = [sys.executable, __file__, "--compare", name, base_url]
                environment = {**os.environ, "SSL_CERT_FILE": certificate}
                subprocess.run(command, env=environment, check=True)
        finally:
            emulator.kill()
            emulator.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        compare(sys.argv[3], CASES[sys.argv[2]])
    else:
        main()
