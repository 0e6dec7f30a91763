"""The paid provider in its own process: ``python -m boards.testing.paid_server LEDGER PORT``.

See :mod:`boards.testing.paid_provider`, which starts it. It prints its port once it listens, and
ends when its standard input does: with whoever started it.
"""

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from aiohttp import web

from boards.testing.paid_provider import Behaviour, content

__all__: list[str] = []


class _Server:
    """The provider in its process."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._behaviours: defaultdict[str, Behaviour] = defaultdict(Behaviour)
        self._jobs: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._lost: Counter[str] = Counter()
        self._asked: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for line in ledger.read_text().splitlines():
            self._enter(json.loads(line))

    def _write(self, entry: dict[str, Any]) -> None:
        os.write(self._ledger, f"{json.dumps(entry)}\n".encode())
        self._enter(entry)

    def _enter(self, entry: dict[str, Any]) -> None:
        if "behaviour" in entry:
            self._behaviours[entry["account"]] = Behaviour(**entry["behaviour"])
        elif "canceled" in entry:
            self._jobs[entry["account"]][entry["canceled"]]["canceled"] = True
        elif "lost" in entry:
            self._lost[entry["account"]] += 1
        else:
            self._jobs[entry["account"]][entry["id"]] = entry

    async def set(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        self._write({"account": account, "behaviour": await request.json()})
        return web.json_response({})

    async def tell(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        charges = Counter(job["prompt"] for job in self._jobs[account].values())
        keys = Counter(job["key"] for job in self._jobs[account].values() if job["key"])
        told = {
            "charges": charges,
            "keys": keys,
            "asked": self._asked[account],
            "lost": self._lost[account],
        }
        return web.json_response(told)

    async def submit(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        behaviour, asked = self._behaviours[account], self._asked[account]
        asked["submit"] += 1
        number = asked["submit"]
        body = await request.json()
        if number <= behaviour.refuse:
            return web.json_response({"error": "later"}, status=429, headers={"Retry-After": "0"})
        # What was accepted is charged, whether or not anybody still listens.
        job = await asyncio.shield(self._charge(account, request, body))
        await asyncio.sleep(behaviour.after)
        if behaviour.lose and number % behaviour.lose == 0:
            self._write({"account": account, "lost": job["id"]})
            if request.transport is not None:  # else its caller was killed meanwhile
                request.transport.close()
        return web.json_response(self._told(request, job), status=201)

    async def _charge(
        self, account: str, request: web.Request, body: dict[str, Any]
    ) -> dict[str, Any]:
        behaviour = self._behaviours[account]
        await asyncio.sleep(behaviour.before)
        jobs = self._jobs[account]
        key = request.headers.get("Idempotency-Key") if behaviour.honours_key else None
        for job in jobs.values() if key is not None else ():
            if job["key"] == key:
                return job
        entry = {
            "account": account,
            "id": f"job-{len(jobs) + 1}",
            "prompt": body["prompt"],
            "key": key,
            "webhook": body.get("webhook"),
            "at": time.time(),
        }
        self._write(entry)
        return jobs[entry["id"]]

    def _told(self, request: web.Request, job: dict[str, Any]) -> dict[str, Any]:
        account, origin = request.match_info["account"], request.url.origin()
        behaviour = self._behaviours[account]
        age = time.time() - job["at"]
        status = "queued" if age < behaviour.queue else "running"
        if age >= behaviour.queue + behaviour.run:
            status = "done"
        if job.get("canceled"):
            status = "canceled"
        told = {"id": job["id"], "status": status, "prompt": job["prompt"]}
        if status == "done":
            told["url"] = f"{origin}/{account}/files/{job['id']}"
        if job["webhook"] is not None:
            told["webhook"] = job["webhook"]
        return told

    async def list(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        self._asked[account]["list"] += 1
        jobs = [self._told(request, job) for job in self._jobs[account].values()]
        return web.json_response({"jobs": jobs})

    async def poll(self, request: web.Request) -> web.Response:
        account = request.match_info["account"]
        self._asked[account]["poll"] += 1
        job = self._jobs[account].get(request.match_info["id"])
        if job is None:
            return web.json_response({"error": "no such job"}, status=404)
        return web.json_response(self._told(request, job))

    async def cancel(self, request: web.Request) -> web.Response:
        account, id_ = request.match_info["account"], request.match_info["id"]
        self._asked[account]["cancel"] += 1
        if self._told(request, self._jobs[account][id_])["status"] in ("queued", "running"):
            self._write({"account": account, "canceled": id_})
        return web.json_response({})

    async def file(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        behaviour = self._behaviours[account]
        self._asked[account]["file"] += 1
        data = content(self._jobs[account][request.match_info["id"]]["prompt"], behaviour.size)
        reply = web.StreamResponse(headers={"Content-Type": "image/png"})
        reply.content_length = len(data)
        await reply.prepare(request)
        for start in range(0, len(data), 1 << 18):
            if start:
                await asyncio.sleep(behaviour.pause)
            with contextlib.suppress(ConnectionResetError):  # who asked was killed
                await reply.write(data[start : start + (1 << 18)])
        return reply


async def _serve(ledger: Path, port: int) -> None:
    server = _Server(ledger)
    app = web.Application()
    app.add_routes(
        [
            web.put("/control/{account}", server.set),
            web.get("/control/{account}", server.tell),
            web.post("/{account}/jobs", server.submit),
            web.get("/{account}/jobs", server.list),
            web.get("/{account}/jobs/{id}", server.poll),
            web.post("/{account}/jobs/{id}/cancel", server.cancel),
            web.get("/{account}/files/{id}", server.file),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    os.write(1, f"{runner.addresses[0][1]}\n".encode())
    await asyncio.Event().wait()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
