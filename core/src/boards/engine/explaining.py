"""What a generation would send, as text: rendered by the compiled spec, and never sent."""

import base64
import hashlib
import json
import re
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from boards.artifacts import REFERENCE_PREFIX, Artifact
from boards.engine.download import Downloaded
from boards.engine.files import FileForms
from boards.engine.inputs import checked, ingested
from boards.engine.rest import ProviderClient, with_query
from boards.engine.transport import Reply, Request, Socket, Transport
from boards.engine.wording import Wording
from boards.errors import InvalidInputError, Problem
from boards.generations import Attempt, Cost, new_id
from boards.settings import Settings
from boards.spec.compile import CompiledGenerator, CompiledSocket
from boards.spec.model import ProviderSpec, RequestSpec
from boards.spec.paths import ABSENT
from boards.spec.requests import CompiledRequest, FilePart, Rendered
from boards.spec.tokens import RenderError
from boards.spec.writing import document_of
from boards.storage import Blob, BlobWriter, Storage

if TYPE_CHECKING:
    from boards.entries import GeneratorEntry
    from boards.registry import Registry

__all__ = ["Explanation", "Step", "explained", "likely"]

_ELSEWHERE: Final = "https://later.invalid/"
_LATER: Final = re.compile(r"\$\{(job|prev)((?:\.[A-Za-z0-9_-]+)*)")


@frozen
class Step:
    """One request of a generation. Secrets are masked, and files only named.

    Attributes:
        name: ``submit``, ``poll``, ``stream``, ``result`` or ``cancel``.
        method: The HTTP method.
        url: Absolute. What a reply will tell stands in it as ``<job.id>``.
        headers: Names and values; a secret is ``***``.
        body: The body as text; None where there is none.
        http: All of it, as it goes over the wire.
        curl: A command for bash that sends it, once the environment variables of its secrets
            are set: nothing secret is in it. Empty where there is none: for a websocket.
    """

    name: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None
    http: str
    curl: str


@frozen
class Explanation:
    """What a generation would send.

    Attributes:
        generator: Full id.
        provider: The provider's instance.
        input: The inputs with their defaults; files as ``artifact:KEY``.
        cost: The estimate by the list price; None where there is none.
        steps: The submit first; then what would be asked about the job. Empty where the
            provider's adapter submits.
        notes: What else there is to know, a sentence each.
    """

    generator: str
    provider: str
    input: Mapping[str, Any]
    cost: Cost | None
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The explanation as JSON."""
        cost = self.cost
        return {
            "generator": self.generator,
            "provider": self.provider,
            "input": dict(self.input),
            "cost": None
            if cost is None
            else {"usd": cost.usd, "unit": cost.unit, "quantity": cost.quantity},
            "steps": [
                {
                    "name": step.name,
                    "method": step.method,
                    "url": step.url,
                    "headers": dict(step.headers),
                    "body": step.body,
                    "http": step.http,
                    "curl": step.curl,
                }
                for step in self.steps
            ],
            "notes": list(self.notes),
        }


def likely(registry: "Registry", name: str) -> "GeneratorEntry":
    """The generator that a name stands for: one that can be used, else one that cannot yet.

    Raises:
        NotFoundError: There is no such generator.
    """
    entries = registry.resolve(name)
    ready = (one for one in entries if registry.provider(one.provider).availability().ok)
    return next(ready, entries[0])


async def explained(
    registry: "Registry", settings: Settings, entry: "GeneratorEntry", given: Mapping[str, Any]
) -> Explanation:
    """What a generator would send for some inputs. No key is needed, and none is looked at.

    Raises:
        InvalidInputError: The input does not fit, or cannot be sent so.
        ProviderError: ``invalid_input``, ``untrusted_url``: what a generation would fail with.
    """
    compiled = registry.compiled(entry.id)
    provider = registry.provider(entry.provider).spec
    complete = checked(compiled.inputs, _with_paths(given), entry.id)
    before = dict(complete)
    storage = _Memory()
    complete = await ingested(compiled.inputs, complete, cast("Storage", storage))
    wording = Wording(f"mark{secrets.token_hex(6)}n")
    for name, value in complete.items():
        storage.note(before[name], value, wording)
    client = _client(entry.provider, provider, settings, wording)
    notes: list[str] = []
    steps: list[Step] = []
    try:
        scope = compiled.with_lets({"input": complete, "config": client.config, "run": _run()})
        found = compiled.estimate(scope)
        cost = None if found is None else Cost(*found)
        rendered = await _submit(compiled, client, storage, scope, wording, notes)
        if rendered is not None:
            if compiled.websocket is not None:
                steps.append(_frames(compiled.websocket, client, scope, rendered, wording))
                notes.append("The submit is a frame of a websocket, which curl does not send.")
            else:
                client.url(rendered)  # trusted, or nothing would be sent
                steps.append(await _step("submit", client, rendered, wording))
            steps += await _later(compiled, client, scope, wording, notes)
    except RenderError as error:
        raise InvalidInputError(str(error), generator=entry.id) from error
    if rendered is None:
        notes.append(
            f"{provider.adapter or 'An adapter'} submits: what it sends is not known here."
        )
    elif provider.adapter is not None:
        notes.append(f"The adapter {provider.adapter} may change what is sent.")
    return Explanation(
        entry.id, entry.provider, complete, cost, tuple(steps), tuple(dict.fromkeys(notes))
    )


def _with_paths(given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, artifacts as the files that they are."""

    def one(name: str, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [one(name, item) for item in value]
        if not isinstance(value, Artifact):
            return value
        if value.path is None:
            problem = Problem(name, f"the artifact {value.id} is no file of this machine")
            raise InvalidInputError("An input file cannot be read.", [problem])
        return value.path

    return {name: one(name, value) for name, value in given.items()}


def _run() -> dict[str, str]:
    """The values of one run, as good as any."""
    id_ = new_id()
    return Attempt(id_, 1, str(uuid.uuid4()), f"{id_}-1", "", 0, time.time()).run


class _Nothing:
    """A transport that sends nothing."""

    async def send(self, request: Request) -> Reply:
        raise AssertionError(f"{request.url} was to be explained, not sent")

    async def connect(self, url: str, timeout: float | None) -> Socket:  # noqa: ASYNC109
        raise AssertionError(f"{url} was to be explained, not connected to")

    async def close(self) -> None:
        """Nothing is open."""


def _client(
    name: str, provider: ProviderSpec, settings: Settings, wording: Wording
) -> ProviderClient:
    """A client whose secrets are marks: the real ones are not even looked at."""
    variables = [provider.config.get("api_key_env"), *provider.secrets.values()]
    environment = {}
    for variable in variables:
        if isinstance(variable, str):
            mark = wording.mark("***", f"${variable}")
            environment[variable] = mark
            encoded = base64.b64encode(mark.encode()).decode()
            wording.alias(encoded, "***", f"$(printf %s \"${variable}\" | base64 | tr -d '\\n')")
    marked = evolve(settings, environment=environment)
    transport: Transport = _Nothing()
    return ProviderClient(name, provider, marked, transport)


async def _submit(
    compiled: CompiledGenerator,
    client: ProviderClient,
    storage: "_Memory",
    scope: dict[str, Any],
    wording: Wording,
    notes: list[str],
) -> Rendered | None:
    """The request of the variant that fits, its files as they would be given."""

    async def upload(file: FilePart) -> str:
        name = storage.names.get(file.content, file.name)
        notes.append(f"{name} would be uploaded first; its address stands in the request.")
        return f"<upload of {name}>"

    fetcher = _Unfetched(storage, wording, notes)
    forms = FileForms(client, cast("Storage", storage), upload, fetcher)
    chosen = compiled.choose_submit({**scope, "files": forms})
    if chosen is None:
        return None
    if len(compiled.submits) > 1:
        number = compiled.submits.index(chosen) + 1
        notes.append(f"Variant {number} of {len(compiled.submits)} fits the input.")
    chosen.request.render({**scope, "files": forms})
    await forms.prepare()
    rendered = chosen.request.render({**scope, "files": _Marked(forms, wording)})
    if chosen.idempotency is not None and chosen.idempotency.header is not None:
        key = scope["run"]["idempotency_key"]
        rendered = evolve(rendered, headers={**rendered.headers, chosen.idempotency.header: key})
    return rendered


class _Marked:
    """File filters whose base64 is marked: it is far too long to be read."""

    def __init__(self, forms: FileForms, wording: Wording) -> None:
        self._forms = forms
        self._wording = wording

    def get(self, reference: str, form: str) -> Any:
        value = self._forms.get(reference, form)
        if not isinstance(value, str) or form == "mime":
            return value
        prefix, encoded = "", value
        if form != "base64":
            head, comma, encoded = value.partition(";base64,")
            if not (value.startswith("data:") and comma):
                return value
            prefix = f"{head}{comma}"
        return self._wording.data(prefix, encoded, base64.b64decode(encoded))


async def _later(
    compiled: CompiledGenerator,
    client: ProviderClient,
    scope: dict[str, Any],
    wording: Wording,
    notes: list[str],
) -> list[Step]:
    """The requests about the job, with what a reply will tell left open."""
    run = compiled.run
    steps = []
    for name in ("poll", "stream", "result", "cancel"):
        spec: RequestSpec | None = getattr(run, name)
        if spec is not None and not (name == "cancel" and run.synchronous):
            request = CompiledRequest(spec, client.spec.headers)
            try:
                rendered = request.render({**scope, **_open(spec, wording)})
            except RenderError:  # a filter reads what only a reply will tell
                notes.append(f"What the {name} sends depends on the reply before it.")
                continue
            steps.append(await _step(name, client, rendered, wording))
    return steps


def _open(spec: RequestSpec, wording: Wording) -> dict[str, Any]:
    """``job`` and ``prev`` for a request: each value that it names stands for itself."""
    roots: dict[str, Any] = {"job": {}, "prev": {}}
    for root, path in dict.fromkeys(_LATER.findall(json.dumps(document_of(spec)))):
        *steps, last = path.split(".")[1:] or [""]
        node = roots[root]
        for step in steps:
            child = node.get(step)
            node[step] = node = child if isinstance(child, dict) else {}
        name = f"<{root}{path}>"
        if last:
            node[last] = wording.mark(name, name)
    return roots


async def _step(name: str, client: ProviderClient, rendered: Rendered, wording: Wording) -> Step:
    url = with_query(client.address(rendered), rendered.query)
    # What a reply will tell may be the whole address, which is none yet: it is put in afterwards.
    known = url if name == "submit" else _ELSEWHERE
    bare = evolve(rendered, url=known, base=None, query=(), authenticated=False)
    request = evolve(await client.request(bare), url=url)
    if rendered.authenticated:
        request = _authenticated(client, request, wording)
    return Step(
        name,
        request.method,
        wording.shown(request.url),
        wording.shown(dict(request.headers)),
        wording.body(rendered),
        wording.http(request, rendered),
        wording.curl(request, rendered),
    )


def _frames(
    socket: CompiledSocket,
    client: ProviderClient,
    scope: dict[str, Any],
    rendered: Rendered,
    wording: Wording,
) -> Step:
    """A submit over a websocket: the frames that open it, and the job's."""
    url = client.address(socket.request.render(scope))
    opening = [frame({**scope, "secrets": client.named_secret}) for frame in socket.open]
    body = "\n".join(
        json.dumps(wording.shown(frame), indent=2, ensure_ascii=False)
        for frame in [*opening, None if rendered.json is ABSENT else rendered.json]
    )
    return Step("submit", "SEND", url, {}, body, f"WEBSOCKET {url}\n\n{body}", "")


def _authenticated(client: ProviderClient, request: Request, wording: Wording) -> Request:
    auth = client.spec.auth
    found = client.authenticated(request)
    if auth is not None and auth.kind == "jwt_hs256":
        # Bash signs no token; whoever runs the command brings one.
        token = wording.mark("***", "$JWT")
        return evolve(found, headers={**found.headers, "Authorization": f"Bearer {token}"})
    return found


class _Memory:
    """A storage for the files of one explanation: their keys are those of any other."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self.names: dict[bytes, str] = {}

    def note(self, given: Any, reference: Any, wording: Wording) -> None:
        """Remember where the bytes of a file input come from."""
        if isinstance(given, list | tuple) and isinstance(reference, list):
            for one, two in zip(given, reference, strict=True):
                self.note(one, two, wording)
        elif isinstance(given, Path):
            content = self._blobs[str(reference).removeprefix(REFERENCE_PREFIX)]
            wording.file(content, given)
            self.names[content] = given.name

    def writer(self) -> "_Writer":
        return _Writer(self._blobs)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        if key not in self._blobs:
            told = f"{REFERENCE_PREFIX}{key} is none of the files given here: give its path"
            raise InvalidInputError("An input file cannot be read.", [Problem("", told)])
        yield self._blobs[key]

    async def stat(self, key: str) -> Blob:
        """Whatever a host's storage may have: nothing is sent."""
        return Blob(key, 0, "")

    async def url(self, _key: str) -> str | None:
        return None


@frozen
class _Unfetched:
    """A fetcher that only names what it would fetch; its type is as its address has it."""

    _storage: _Memory
    _wording: Wording
    _notes: list[str]

    async def fetch(
        self, url: str, headers: Mapping[str, str] | None = None, *, expires_at: float = 0.0
    ) -> Downloaded:
        self._notes.append(f"{url} would be fetched first; its bytes stand in the request.")
        content = url.encode()
        self._wording.unfetched(content, url)
        self._storage.names[content] = url
        writer = self._storage.writer()
        await writer.write(content)
        return Downloaded(cast("BlobWriter", writer), guess_type(urlsplit(url).path)[0])


@frozen
class _Writer:
    """Bytes on their way into memory."""

    _blobs: dict[str, bytes]
    _content: bytearray = field(factory=bytearray, init=False)

    @property
    def size(self) -> int:
        return len(self._content)

    @property
    def head(self) -> bytes:
        return bytes(self._content[:4096])

    async def write(self, chunk: bytes) -> None:
        self._content.extend(chunk)

    async def commit(self, extension: str) -> Blob:
        content = bytes(self._content)
        digest = hashlib.sha256(content).hexdigest()
        key = f"{digest}.{extension}"
        self._blobs[key] = content
        return Blob(key, len(content), digest, self.head)

    async def abort(self) -> None:
        """Nothing is kept."""
