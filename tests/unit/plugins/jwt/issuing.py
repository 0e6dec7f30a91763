"""An issuer of tokens on the loopback: real keys, a real server that a test scripts."""

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

__all__ = ["AUDIENCE", "EC", "ED", "RSA", "RSA_OTHER", "Issuer", "issuing", "public", "token"]

AUDIENCE = "boards"

# Made once: an RSA key takes a moment.
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"}, private=True)
RSA_OTHER = RSAKey.generate_key(2048, {"kid": "rsa-1"}, private=True)
EC = ECKey.generate_key("P-256", {"kid": "ec-1"}, private=True)
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"}, private=True)


def public(key: Key, **more: Any) -> dict[str, Any]:
    """A key as a set of keys has it."""
    return {**key.as_dict(private=False), "use": "sig", **more}


class _Registry(jws.JWSRegistry):
    """Signs with any algorithm, without a word."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def token(
    key: Key, algorithm: str, claims: dict[str, Any], header: dict[str, Any] | None = None
) -> str:
    """A signed token. Claims and parts of the header that are None are left out."""
    now = time.time()
    whole = {"aud": AUDIENCE, "exp": int(now) + 600, "iat": int(now), "sub": "alice", **claims}
    payload = json.dumps({name: value for name, value in whole.items() if value is not None})
    parts = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    shown = {name: value for name, value in parts.items() if value is not None}
    registry = _Registry(strict_check_header=False)
    registry.max_header_length = 100_000
    return jws.serialize_compact(shown, payload, key, registry=registry)


class Issuer:
    """What answers for an issuer, on a thread of its own: it outlives the loops of tests.

    Attributes:
        url: As tokens have it in ``iss``.
        keys: What it publishes.
        delay: Seconds before it answers.
        status: What it answers with.
        configuration: Parts of its configuration that are other than they should be.
        body: What it answers instead of its keys.
        asked: How often each path was asked for.
    """

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[dict[str, Any]] = [public(RSA), public(EC), public(ED)]
        self.delay = 0.0
        self.status = 200
        self.configuration: dict[str, Any] = {}
        self.body: bytes | None = None
        self.asked: Counter[str] = Counter()

    def token(self, key: Key = RSA, algorithm: str = "RS256", **claims: Any) -> str:
        """A token of this issuer."""
        return token(key, algorithm, {"iss": self.url, **claims})

    @property
    def fetched(self) -> int:
        """How often its keys were asked for."""
        return self.asked["/keys"]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Its configuration, its keys, or a redirect to them."""
        self.asked[request.path] += 1
        await asyncio.sleep(self.delay)
        if request.path == "/moved":
            raise web.HTTPFound("/keys")
        if request.path == "/keys":
            body = json.dumps({"keys": self.keys}).encode() if self.body is None else self.body
            return web.Response(body=body, status=self.status)
        told = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.configuration}
        return web.json_response(told, status=self.status)


@contextlib.contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer, while it is up."""
    issuer = Issuer()
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        for path in ("/.well-known/openid-configuration", "/keys", "/moved"):
            app.router.add_get(path, issuer.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        asyncio.run_coroutine_threadsafe(_end(runner), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(runner: web.AppRunner) -> None:
    """Answer nobody any more, also not those who are waiting."""
    await runner.cleanup()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
