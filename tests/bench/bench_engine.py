"""What a generation costs beside the HTTP calls that it cannot do without.

A job is one POST, two status reads (more in the long cases) and a file of 100 KB that no other
job has. Three do it, in one run, against the Replicate emulator in a process of its own: compare
the ratios, never the times.

- The floor: the calls by hand on aiohttp, hashing the download, keeping nothing.
- The keeper: the same, and what a program by hand does that must lose nothing: three rows of
  SQLite, committed in groups (what is asked for, the job's id, the result), and the file synced,
  named, its directory synced. It has no events, no spec, no retries, and no second attempt.
- Boards.

The cases differ in how many jobs there are, how long the provider takes to answer, and how long
a job runs, which is how often it is polled. Usage::

    python tests/bench/bench_engine.py [CASE ...]
"""

import asyncio
import gc
import hashlib
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import aiohttp
from attrs import asdict, frozen

from boards import Boards

EMULATOR = """
import asyncio, os, sys
from boards.testing.emulators.replicate import ReplicateEmulator, api
from boards.testing.emulators.server import Knobs

# Each file is another one, and none of them is drawn: that is not what is measured.
deliver, more = api.deliver, os.urandom(100_000)

def padded(request, content, mime):
    return deliver(request, content + more[len(content):] + os.urandom(16), mime)

api.deliver = padded

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
    run: float = 0.03
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


async def measure(name: str, job: Callable[[int], Awaitable[int]], case: Case) -> dict[str, Any]:
    """Run jobs, so many at once; what they cost."""
    semaphore = asyncio.Semaphore(case.concurrency)

    async def one(number: int) -> int:
        async with semaphore:
            return await job(number)

    await job(case.jobs)
    gc.collect()
    wall, used = time.perf_counter(), cpu()
    sizes = await asyncio.gather(*map(one, range(case.jobs)))
    wall, used = time.perf_counter() - wall, cpu() - used
    assert min(sizes) > 100_000
    return {
        "by": name,
        "jobs/s": round(case.jobs / wall),
        "cpu ms/job": round(used / case.jobs * 1000, 2),
    }


class Keeper:
    """Rows and files by hand: durable, and nothing more.

    Args:
        home: An empty directory.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[tuple[str, tuple[str, ...], asyncio.Future[None]]] = SimpleQueue()
        self._pool = ThreadPoolExecutor(8)
        threading.Thread(target=self._write, daemon=True).start()

    async def row(self, statement: str, *values: str) -> None:
        """Execute a statement; return when it is durable."""
        future = self._loop.create_future()
        self._queue.put((statement, values, future))
        await future

    async def file(self, name: str, chunks: Sequence[bytes]) -> str:
        """Keep a file under the hash of its bytes; that hash, when it is durable."""
        return await self._loop.run_in_executor(self._pool, self._keep, name, chunks)

    def _write(self) -> None:
        database = sqlite3.connect(self._home / "jobs.sqlite", isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE jobs (id TEXT PRIMARY KEY, phase TEXT, data TEXT)")
        while True:
            group = [self._queue.get()]
            group += [self._queue.get() for _ in range(self._queue.qsize())]
            database.execute("BEGIN IMMEDIATE")
            for statement, values, _ in group:
                database.execute(statement, values)
            database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [future for _, _, future in group])

    def _keep(self, name: str, chunks: Sequence[bytes]) -> str:
        digest = hashlib.sha256()
        temporary = self._home / name
        descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL)
        for chunk in chunks:
            digest.update(chunk)
            os.write(descriptor, chunk)
        os.fsync(descriptor)
        os.close(descriptor)
        temporary.rename(self._home / digest.hexdigest())
        descriptor = os.open(self._home, os.O_DIRECTORY)
        os.fsync(descriptor)
        os.close(descriptor)
        return digest.hexdigest()


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


_MOVE = "UPDATE jobs SET phase = ?, data = ? WHERE id = ?"


async def by_hand(base_url: str, case: Case, home: Path | None = None) -> dict[str, Any]:
    """The calls by hand; with a home, whatever must not be lost is kept there."""
    keeper = None if home is None else Keeper(home)
    headers = {"Authorization": "Bearer x"}
    # As the transport of Boards does, it finds the emulator's certificate in SSL_CERT_FILE.
    connector = aiohttp.TCPConnector(limit=2 * case.concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def job(number: int) -> int:
            url = f"{base_url}/v1{GENERATOR['execution']['submit']['path']}"
            name = str(number)
            if keeper is not None:
                asked = json.dumps(INPUT)
                await keeper.row("INSERT INTO jobs VALUES (?, 'submitting', ?)", name, asked)
            async with session.post(url, json={"input": INPUT}) as reply:
                prediction = await reply.json()
            if keeper is not None:
                await keeper.row(_MOVE, "waiting", prediction["id"], name)
            while prediction["status"] != "succeeded":
                await asyncio.sleep(case.poll)
                async with session.get(prediction["urls"]["get"]) as reply:
                    prediction = await reply.json()
            async with session.get(prediction["output"][0]) as reply:
                chunks = [chunk async for chunk in reply.content.iter_chunked(65_536)]
            if keeper is not None:
                digest = await keeper.file(name, chunks)
                await keeper.row(_MOVE, "succeeded", digest, name)
            else:
                hashing = hashlib.sha256()
                for chunk in chunks:
                    hashing.update(chunk)
            return sum(map(len, chunks))

        return await measure("aiohttp, keeping" if keeper else "aiohttp", job, case)


async def boards(base_url: str, case: Case, home: Path) -> dict[str, Any]:
    """The same through Boards, durable store and storage on."""
    execution = GENERATOR["execution"]
    poll = {**execution["poll"], "every": f"{case.poll * 1000:g}ms"}
    generator = {**GENERATOR, "execution": {**execution, "poll": poll}}
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

        async def job(_: int) -> int:
            generation = await host.generate("bench/bench", input=INPUT)
            return generation.artifacts[0].size

        return await measure("boards", job, case)


def compare(base_url: str, case: Case, home: Path) -> None:
    """Print what each costs, and the ratios."""
    for name in ("hand", "boards"):
        (home / name).mkdir(parents=True)
    floor = asyncio.run(by_hand(base_url, case))
    keeping = asyncio.run(by_hand(base_url, case, home / "hand"))
    ours = asyncio.run(boards(base_url, case, home / "boards"))
    ratios = {
        f"ratio to {other['by']}": round(ours["cpu ms/job"] / other["cpu ms/job"], 2)
        for other in (floor, keeping)
    }
    for result in (floor, keeping, ours, ratios):
        print(json.dumps(result), flush=True)


def main() -> None:
    """Compare in each case, twice, each time in a process that has done nothing else."""
    # Kept until the end: ext4 is slow to make files for some time after many were deleted.
    with tempfile.TemporaryDirectory() as homes:
        for name in sys.argv[1:] or CASES:
            case = CASES[name]
            print(json.dumps({"case": name, **asdict(case)}), flush=True)
            knobs = [str(float(one)) for one in (case.latency, case.run, case.tls)]
            command = [sys.executable, "-c", EMULATOR, *knobs]
            emulator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            assert emulator.stdout is not None
            base_url, certificate = emulator.stdout.readline().split()
            try:
                for turn in ("first", "second"):
                    home = str(Path(homes, f"{name}-{turn}"))
                    command = [sys.executable, __file__, "--compare", name, base_url, home]
                    environment = {**os.environ, "SSL_CERT_FILE": certificate}
                    subprocess.run(command, env=environment, check=True)
            finally:
                emulator.kill()
                emulator.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compare"]:
        compare(sys.argv[3], CASES[sys.argv[2]], Path(sys.argv[4]))
    else:
        main()
