"""The tests inside a spec: a generator run offline, through the engine, against scripted replies.

Exchanges are consumed in order. No network is used, nothing is waited for, and outputs are not
downloaded: what is compared is the requests as they would go out, and the outputs that the spec
finds in the replies.
"""

import base64
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from attrs import evolve, frozen

from boards.boards import Boards
from boards.engine.inputs import checked
from boards.engine.machine import Machine
from boards.engine.rest import ProviderClient
from boards.engine.transport import LostReplyError, Reply, Request
from boards.errors import InvalidInputError, NotFoundError
from boards.events import Happening
from boards.generations import Generation, Output, new_id
from boards.runner import Again, Done
from boards.spec.model import Exchange, Fixture

if TYPE_CHECKING:
    from boards.engine.download import Downloaded

__all__ = ["FixtureResult", "run_fixtures"]

_MOST_STEPS = 200
_PLACEHOLDER = "placeholder-secret"


@frozen
class FixtureResult:
    """What came of one fixture.

    Attributes:
        generator: Full id.
        name: The fixture's name.
        problems: What differs from what is expected; empty if it passed.
    """

    generator: str
    name: str
    problems: tuple[str, ...]


async def run_fixtures(generator_ids: list[str], **boards: Any) -> list[FixtureResult]:
    """Run every fixture of some generators.

    Args:
        generator_ids: Full ids.
        boards: Arguments of :class:`boards.Boards`, for generators that are not installed.
    """
    results = []
    with tempfile.TemporaryDirectory(prefix="boards-fixtures-") as home:
        needs = {
            name
            for entry in Boards(**{**boards, "home": home, "environment": {}}).providers()
            for name in entry.needs
        }
        environment = dict.fromkeys(needs, _PLACEHOLDER)
        script = _Script()
        async with Boards(
            **{**boards, "home": home, "environment": environment, "transport": script}
        ) as host:
            for generator_id in generator_ids:
                for fixture in host.registry.spec(generator_id).tests:
                    problems = await _run(host, script, generator_id, fixture)
                    results.append(FixtureResult(generator_id, fixture.name, tuple(problems)))
    return results


class _MismatchError(LostReplyError):
    """A request that the fixture does not expect; the engine sees a lost reply and stops."""


class _NotFetchedError(Exception):
    """Outputs are announced; a fixture goes no further."""


class _NoDownloads:
    async def fetch(self, url: str, credentials: Mapping[str, str] | None = None) -> "Downloaded":
        raise _NotFetchedError


class _Script:
    """A transport that answers with a fixture's replies, and notes what differs."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.problems: list[str] = []
        self.sent = 0
        self.client: ProviderClient | None = None

    def begin(self, fixture: Fixture, client: ProviderClient) -> None:
        self.exchanges = list(fixture.exchanges)
        self.problems = []
        self.sent = 0
        self.client = client

    async def send(self, request: Request) -> Reply:
        self.sent += 1
        asked = f"request {self.sent}, {request.method} {request.url}"
        if not self.exchanges:
            self.problems.append(f"{asked}: the fixture has no exchange for it")
            raise _MismatchError(asked)
        exchange = self.exchanges.pop(0)
        assert self.client is not None  # noqa: S101  # begun
        found = _differences(exchange.expect, request, self.client)
        self.problems += [f"{asked}: {one}" for one in found]
        return _ScriptedReply(exchange.reply)

    async def close(self) -> None:
        """Nothing is open."""


class _ScriptedReply:
    """A reply as a fixture writes it."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        self.status = int(reply.get("status", 200))
        self.headers = {
            name.lower(): str(value) for name, value in reply.get("headers", {}).items()
        }
        if "json" in reply:
            self._content = json.dumps(reply["json"]).encode()
            self.headers.setdefault("content-type", "application/json")
        else:
            self._content = str(reply.get("text", reply.get("bytes", ""))).encode()

    async def read(self, limit: int) -> bytes:
        return self._content

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._content

    async def close(self) -> None:
        """Nothing is open."""


def _differences(expect: Mapping[str, Any], request: Request, client: ProviderClient) -> list[str]:
    """What of a request is not as expected."""
    address, _, query_text = request.url.partition("?")
    query = dict(parse_qsl(query_text, keep_blank_values=True))
    found = []
    if "method" in expect and expect["method"] != request.method:
        found.append(f"the method is {request.method}, not {expect['method']}")
    if "url" in expect and expect["url"] not in (address, request.url):
        found.append(f"the url is not {expect['url']}")
    if "path" in expect:
        bases = [str(value).rstrip("/") for value in client.config.values()]
        if address not in {f"{base}{expect['path']}" for base in bases}:
            found.append(f"the path is not {expect['path']}")
    for kind, sent in (("query", query), ("headers", _lower(request.headers))):
        for name, value in expect.get(kind, {}).items():
            actual = sent.get(name.lower() if kind == "headers" else name)
            if actual != str(value):
                found.append(f"{kind} {name} is {actual!r}, not {value!r}")
    if "json" in expect:
        sent_json = json.loads(request.body or b"null")
        if sent_json != expect["json"]:
            found.append(_json_difference(expect["json"], sent_json))
    if "multipart" in expect:
        found += _multipart_differences(expect["multipart"], request)
    return found


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _json_difference(wanted: Any, sent: Any) -> str:
    """A diff by lines: what was expected with ``-``, what was sent with ``+``."""
    import difflib  # noqa: PLC0415  # only where something differs

    before, after = (
        json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
        for value in (wanted, sent)
    )
    lines = list(difflib.unified_diff(before, after, lineterm="", n=2))
    return "the json differs\n" + "\n".join(lines[2:])


def _multipart_differences(wanted: Mapping[str, Any], request: Request) -> list[str]:
    head = f"Content-Type: {_lower(request.headers).get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + (request.body or b""))
    sent = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)  # noqa: S101  # a leaf of a multipart body
        name = str(part.get_param("name", header="content-disposition"))
        sent[name] = content.decode("utf-8", "backslashreplace")
    return [
        f"multipart {name} is {sent.get(name)!r}, not {value!r}"
        for name, value in wanted.items()
        if sent.get(name) != str(value)
    ]


async def _run(host: Boards, script: _Script, generator_id: str, fixture: Fixture) -> list[str]:
    """Run one fixture; what is wrong with it."""
    engine = host._running  # the same package's test kit
    compiled = host.registry.compiled(generator_id)
    client = engine.client(compiled.provider_name)
    script.begin(fixture, client)
    try:
        given = checked(compiled.inputs, fixture.input, generator_id)
    except InvalidInputError as error:
        if fixture.raises == "invalid_input" and not fixture.exchanges:
            return []
        return [str(problem) for problem in error.problems]
    now = time.time()
    generation = await engine.store.create(
        Generation(
            id=new_id(),
            generator=generator_id,
            provider=compiled.provider_name,
            artifact_type=compiled.spec.artifact_type,
            input=given,
            created_at=now,
        ),
        [Happening("queued", {})],
    )
    machine = evolve(engine.machine, downloader=_NoDownloads())
    generation = await _drive(host, machine, generation.id, script)
    problems = script.problems
    if script.exchanges:
        problems.append(f"{len(script.exchanges)} exchanges were left over")
    if problems:
        return problems
    return await _outcome_differences(host, fixture, generation)


async def _drive(host: Boards, machine: Machine, generation_id: str, script: _Script) -> Generation:
    """Step by step, without waiting, until it ends or its outputs are announced."""
    store = host._running.store  # the same package's test kit
    for _ in range(_MOST_STEPS):
        try:
            outcome: Again | Done = await machine.drive(generation_id)
        except _NotFetchedError:
            break
        if isinstance(outcome, Done) or script.problems:
            break
    machine.flights.pop(generation_id, None)
    generation = await store.get(generation_id)
    if generation is None:
        raise NotFoundError(f"There is no generation {generation_id}.")
    return generation


async def _outcome_differences(host: Boards, fixture: Fixture, generation: Generation) -> list[str]:
    if fixture.raises is not None:
        if generation.error is None:
            return [f"it is {generation.phase}, and was to raise {fixture.raises}"]
        if generation.error.kind != fixture.raises:
            told = f"{generation.error.kind}: {generation.error.message}"
            return [f"it raised {told}, and was to raise {fixture.raises}"]
        return []
    if generation.error is not None:
        return [f"it failed with {generation.error.kind}: {generation.error.message}"]
    if fixture.outputs is None:
        return []
    found = await _outputs(host, generation)
    if len(found) != len(fixture.outputs):
        return [f"it has {len(found)} outputs, not {len(fixture.outputs)}: {found}"]
    return [
        f"output {index}: {name} is {actual.get(name)!r}, not {value!r}"
        for index, (wanted, actual) in enumerate(zip(fixture.outputs, found, strict=True))
        for name, value in wanted.items()
        if actual.get(name) != value
    ]


async def _outputs(host: Boards, generation: Generation) -> list[dict[str, Any]]:
    """The outputs as a fixture writes them: ``url``, ``text``, ``bytes``, ``mime``, ``meta``."""
    announced: list[Output | Any] = list(generation.outputs or generation.artifacts)
    return [await _output(host, one) for one in announced]


async def _output(host: Boards, one: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"mime": one.mime, "meta": dict(one.meta)}
    url = getattr(one, "url", None)
    if url is not None:
        return {**shown, "url": url}
    storage = host._running.storage  # the same package's test kit
    content = b"".join([chunk async for chunk in storage.read(one.key)])
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = base64.b64encode(content).decode()
    return {**shown, "text": text, "bytes": text, "json": text}
