"""What a document says, once read: frozen values, the same whether from YAML or from Python.

Times are seconds, sizes bytes. ``place`` is where a mapping stood; it is never compared.
"""

from typing import Any, Final, Literal

from attrs import frozen

from boards.artifacts import ARTIFACT_TYPES
from boards.errors import PROVIDER_ERROR_KINDS
from boards.spec.grammar import (
    BAD,
    BodyKind,
    Choice,
    DurationKind,
    FlagKind,
    JsonKind,
    Listed,
    Mapped,
    NumberKind,
    PathKind,
    PredicateKind,
    RateKind,
    Shape,
    SizeKind,
    TemplateKind,
    TextKind,
    WholeKind,
    key,
    no_place,
)
from boards.spec.operators import Body
from boards.spec.paths import Path
from boards.spec.places import Mapping, Place, Problems, Sequence, plain
from boards.spec.predicates import Predicate
from boards.spec.tokens import Template

__all__ = [
    "INSTANCE_NAME",
    "SPEC_VERSION",
    "Auth",
    "Catalog",
    "CostSpec",
    "Deadline",
    "ErrorRule",
    "Exchange",
    "Execution",
    "Extract",
    "FailureSpec",
    "Files",
    "Fixture",
    "GeneratorSpec",
    "Idempotency",
    "Io",
    "Limits",
    "OutputSpec",
    "Poll",
    "ProgressSpec",
    "ProviderSpec",
    "Raise",
    "Reconcile",
    "RequestSpec",
    "Retry",
    "StatusRule",
    "StatusSpec",
    "Stream",
    "Submit",
    "Upload",
    "Verify",
    "WebSocket",
    "Webhook",
]

SPEC_VERSION: Final = 1

_TEXT = TextKind()
_NAME = TextKind(r"[a-z0-9][a-z0-9._-]*(@[A-Za-z0-9._-]+)?", "a name such as flux-1.1-pro")
INSTANCE_NAME: Final = TextKind(r"[a-z0-9][a-z0-9._-]*", "a name such as replicate")
_ADAPTER = TextKind(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", "a class such as boards_acme.adapter:AcmeAdapter"
)
_INPUT_NAME = TextKind(r"[A-Za-z_][A-Za-z0-9_-]*", "a name such as size")
_STATUS = Choice(("queued", "running", "succeeded", "failed", "canceled"))
_STATUS_OR_FAIL = Choice(("queued", "running", "succeeded", "failed", "canceled", "fail"))
_KIND = Choice(PROVIDER_ERROR_KINDS)
_TEMPLATE = TemplateKind()
_PATH = PathKind()
_PREDICATE = PredicateKind()


@frozen
class Idempotency:
    """How a repeated submit is recognised by the provider."""

    header: str | None = key(_TEXT, default=None, doc="the header that carries the key")
    body: str | None = key(
        Choice(("run.uuid", "run.idempotency_key")),
        default=None,
        doc="the value in the body that is the key",
    )
    conflict: Predicate | None = key(_PREDICATE, default=None, doc="'already accepted'")
    place: Place | None = no_place()


@frozen(kw_only=True)
class RequestSpec:
    """One HTTP request, as a template."""

    method: str = key(Choice(("GET", "POST", "PUT", "PATCH", "DELETE", "QUERY")), default="GET")
    path: Template | None = key(_TEMPLATE, default=None, doc="follows base_url")
    base: str = key(_TEXT, default="base_url", doc="the config key of the base URL of path")
    url: Template | None = key(_TEMPLATE, default=None, doc="absolute; instead of path")
    query: dict[str, Template] = key(Mapped(_TEMPLATE), default={})
    headers: dict[str, Template] = key(Mapped(_TEMPLATE), default={})
    json: Body | None = key(BodyKind(), default=None)
    form: dict[str, Template] | None = key(Mapped(_TEMPLATE), default=None)
    multipart: dict[str, Template] | None = key(Mapped(_TEMPLATE), default=None)
    body: Template | None = key(_TEMPLATE, default=None)
    accept: Literal["json", "binary", "text"] = key(
        Choice(("json", "binary", "text")), default="json", doc="what a 2xx reply is"
    )
    timeout: float = key(DurationKind(), default=60.0)
    auth: Literal["provider", "none"] = key(
        Choice(("provider", "none")),
        default="provider",
        doc="none: no credentials, any public host",
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class Submit(RequestSpec):
    """The request that starts a job; one of several variants where ``when`` says so."""

    method: str = key(Choice(("GET", "POST", "PUT", "PATCH")), default="POST")
    when: Predicate | None = key(_PREDICATE, default=None, doc="only for a variant")
    idempotency: Idempotency | None = key(Shape(Idempotency), default=None)
    capture: dict[str, Path] = key(
        Mapped(_PATH, _INPUT_NAME), default={}, doc="what is kept of the reply, as job.NAME"
    )


class _SubmitKind:
    """One submit, or several ``variants`` that share the keys beside them."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Mapping) or "variants" not in value:
            read = Shape(Submit).read(value, place, problems)
            return BAD if read is BAD else (read,)
        variants = value["variants"]
        if not isinstance(variants, Sequence) or not variants:
            problems.error(value.value_places["variants"], "expected a list of variants")
            return BAD
        merged = []
        for variant, at in zip(variants, variants.item_places, strict=True):
            if not isinstance(variant, Mapping):
                problems.error(at, "expected a mapping")
                return BAD
            both = Mapping(at)
            for origin in (variant, value):
                for name, item in origin.items():
                    if name != "variants" and name not in both:
                        both.put(name, item, origin.key_places[name], origin.value_places[name])
            merged.append(Shape(Submit).read(both, at, problems))
        return BAD if BAD in merged else tuple(merged)

    def write(self, value: tuple[Submit, ...]) -> dict[str, Any]:
        written = [Shape(Submit).write(submit) for submit in value]
        return written[0] if len(written) == 1 else {"variants": written}


@frozen(kw_only=True)
class Poll(RequestSpec):
    """The request that asks how a job is doing, and how often."""

    every: float = key(DurationKind(), default=1.0)
    backoff: float = key(NumberKind(1), default=1.5)
    max_every: float = key(DurationKind(), default=10.0)


@frozen(kw_only=True)
class Stream(RequestSpec):
    """Server-sent events about a job: each ``data:`` that is JSON counts as a reply to a poll."""


@frozen(kw_only=True)
class WebSocket:
    """A socket that replaces submit and poll: frames are JSON texts.

    The first frame that matches is the submit's reply, each later one a reply to a poll.
    """

    url: Template | None = key(_TEMPLATE, default=None, doc="wss://, absolute; instead of path")
    path: Template | None = key(_TEMPLATE, default=None, doc="follows the config key of base")
    base: str = key(_TEXT, default="websocket_url", doc="the config key of the base URL of path")
    open: tuple[Body, ...] = key(
        Listed(BodyKind()), default=(), doc="frames sent first; {$secret: api_key} is a secret"
    )
    send: str = key(Choice(("submit.json",)), default="submit.json", doc="the frame of the job")
    match: Predicate = key(_PREDICATE, doc="which frames are the job's; paths begin at the frame")
    place: Place | None = no_place()


@frozen(kw_only=True)
class Reconcile(RequestSpec):
    """Finds a job whose submit reply was lost."""

    each: Path = key(_PATH)
    next: Path | None = key(_PATH, default=None)
    max_pages: int = key(WholeKind(1), default=10)
    where: Predicate = key(_PREDICATE)
    capture: dict[str, Path] = key(Mapped(_PATH, _INPUT_NAME), default={})


@frozen
class StatusRule:
    """One rule of a status."""

    when: Predicate = key(_PREDICATE)
    status: str = key(_STATUS, name="is")


@frozen(kw_only=True)
class StatusSpec:
    """How a reply tells the normalised status: a map of a value, or rules."""

    at: Path | None = key(_PATH, default=None)
    map: dict[str, str] = key(Mapped(_STATUS), default={})
    unknown: str | None = key(_STATUS_OR_FAIL, default=None, doc="a value that map lacks")
    absent: str | None = key(_STATUS_OR_FAIL, default=None, doc="no value at all")
    combine: str | None = key(Choice(("all",)), default=None)
    fail_if: Predicate | None = key(_PREDICATE, default=None)
    rules: tuple[StatusRule, ...] = key(Listed(Shape(StatusRule)), default=())
    otherwise: str | None = key(_STATUS, default=None, name="else")
    place: Place | None = no_place()


@frozen(kw_only=True)
class ProgressSpec:
    """Where a reply tells how far a job is."""

    percent: Path | None = key(_PATH, default=None, doc="0 to 100")
    fraction: Path | None = key(_PATH, default=None, doc="0 to 1")
    queue_position: Path | None = key(_PATH, default=None, doc="0 is next")
    logs: Path | None = key(_PATH, default=None)
    log_percent: str | None = key(Choice(("tqdm",)), default=None, doc="read the percent in logs")
    place: Place | None = no_place()


@frozen(kw_only=True)
class OutputSpec:
    """Where a final reply has outputs, and in which form."""

    source: Path = key(_PATH, name="from")
    each: Path | None = key(_PATH, default=None, doc="elements; the other paths are relative")
    form: str = key(
        Choice(("url", "base64", "data_uri", "bytes", "text", "json")), default="url", name="as"
    )
    mime: str | None = key(_TEXT, default=None, doc="a media type, or a path to one")
    expires: float | None = key(DurationKind(), default=None)
    fetch_auth: str = key(Choice(("none", "same_origin")), default="none")
    meta: dict[str, Path] = key(Mapped(_PATH), default={})
    request: RequestSpec | None = key(
        Shape(RequestSpec), default=None, doc="fetches the file; ${item} is the value found"
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class Extract:
    """What of the final reply is the result."""

    output_paths: tuple[Path, ...] = key(Listed(_PATH), default=())
    outputs: tuple[OutputSpec, ...] = key(Listed(Shape(OutputSpec)), default=())
    place: Place | None = no_place()


@frozen
class Raise:
    """An error kind for failed jobs that look so."""

    when: Predicate = key(_PREDICATE)
    kind: str = key(_KIND, name="raise")


@frozen(kw_only=True)
class FailureSpec:
    """What a failed job tells."""

    message: Path | None = key(_PATH, default=None)
    kinds: tuple[Raise, ...] = key(Listed(Shape(Raise)), default=(), name="raise")
    place: Place | None = no_place()


@frozen(kw_only=True)
class ErrorRule:
    """An error kind for replies that look so."""

    when: Predicate = key(_PREDICATE)
    kind: str = key(_KIND, name="raise")
    message: Path | None = key(_PATH, default=None)
    after: Path | None = key(_PATH, default=None, doc="seconds to wait")
    refused: bool = key(FlagKind(), default=False, doc="nothing was accepted: may be sent again")


@frozen
class Deadline:
    """How long a job may wait and run."""

    queue: float = key(DurationKind(), default=1800.0)
    run: float = key(DurationKind(), default=3600.0)


@frozen(kw_only=True)
class SecretRequest(RequestSpec):
    """Fetches what verifies webhooks; ``capture`` names the ``secret`` in its reply."""

    capture: dict[str, Path] = key(Mapped(_PATH, _INPUT_NAME), default={})


@frozen(kw_only=True)
class Verify:
    """How a webhook proves its sender."""

    kind: str = key(Choice(("standard_webhooks", "fal_ed25519", "hmac_sha256", "none")))
    secret_env: str | None = key(_TEXT, default=None, doc="the variable of the signing secret")
    secret_request: SecretRequest | None = key(
        Shape(SecretRequest), default=None, doc="fetches the secret, or the public keys, once"
    )
    header: str | None = key(_TEXT, default=None, doc="of the signature, for hmac_sha256")
    prefix: str = key(TextKind(), default="", doc="before the signature, such as sha256=")
    encoding: str = key(Choice(("hex", "base64")), default="hex", doc="of the signature")
    tolerance: float = key(DurationKind(), default=300.0, doc="how old a signed timestamp may be")
    place: Place | None = no_place()


@frozen(kw_only=True)
class Webhook:
    """What a provider's call back means. Never without ``poll``."""

    verify: Verify = key(Shape(Verify))
    body_at: Path | None = key(_PATH, default=None)
    status: StatusSpec | None = key(Shape(StatusSpec), default=None)
    then: str = key(Choice(("poll", "accept")), default="poll")
    place: Place | None = no_place()


@frozen(kw_only=True)
class Execution:
    """How a generator runs."""

    type: str = key(
        Choice(("rest", "adapter")),
        default="rest",
        doc="adapter: the provider's adapter submits, and no submit is needed here",
    )
    let: dict[str, Body] = key(Mapped(BodyKind(), _INPUT_NAME), default={})
    submit: tuple[Submit, ...] = key(_SubmitKind(), default=())
    reconcile: Reconcile | None = key(Shape(Reconcile), default=None)
    status: StatusSpec | None = key(Shape(StatusSpec), default=None)
    poll: Poll | None = key(Shape(Poll), default=None)
    stream: Stream | None = key(Shape(Stream), default=None)
    websocket: WebSocket | None = key(Shape(WebSocket), default=None)
    webhook: Webhook | None = key(Shape(Webhook), default=None)
    progress: ProgressSpec | None = key(Shape(ProgressSpec), default=None)
    result: RequestSpec | None = key(Shape(RequestSpec), default=None)
    cancel: RequestSpec | None = key(Shape(RequestSpec), default=None)
    extract: Extract = key(Shape(Extract), default=Extract())
    failure: FailureSpec | None = key(Shape(FailureSpec), default=None)
    errors: tuple[ErrorRule, ...] = key(Listed(Shape(ErrorRule)), default=())
    deadline: Deadline | None = key(Shape(Deadline), default=None)
    place: Place | None = no_place()

    @property
    def synchronous(self) -> bool:
        """The submit's reply is the result."""
        return self.poll is None and self.stream is None and self.websocket is None


@frozen(kw_only=True)
class CostSpec:
    """A list price."""

    unit: str = key(
        Choice(("image", "second", "character", "megapixel", "compute_second", "generation"))
    )
    usd: float = key(NumberKind())
    times: Template | None = key(_TEMPLATE, default=None, doc="how many units, from the input")
    source: str = key(_TEXT)
    as_of: str = key(TextKind(r"\d{4}-\d{2}-\d{2}", "a date such as 2025-01-15"))
    place: Place | None = no_place()


class _SchemaKind:
    """A JSON Schema 2020-12 of an object; its place is kept for the checker."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        if not isinstance(value, Mapping):
            problems.error(place, "expected a JSON Schema of an object")
            return BAD
        return value

    def write(self, value: dict[str, Any]) -> Any:
        return plain(value)


@frozen(kw_only=True)
class Io:
    """What goes in, and what comes out."""

    input_schema: dict[str, Any] = key(_SchemaKind())
    output_schema: dict[str, Any] = key(JsonKind(mapping=True), default={})


@frozen(kw_only=True)
class Exchange:
    """One request that a fixture expects, and the reply that it gets."""

    expect: dict[str, Any] = key(JsonKind(mapping=True), default={})
    reply: dict[str, Any] = key(JsonKind(mapping=True))
    place: Place | None = no_place()


@frozen(kw_only=True)
class Fixture:
    """A test of a generator, offline: exchanges in order, and what comes of them."""

    name: str = key(_TEXT, default="")
    input: dict[str, Any] = key(JsonKind(mapping=True), default={})
    exchanges: tuple[Exchange, ...] = key(Listed(Shape(Exchange)), default=())
    outputs: tuple[dict[str, Any], ...] | None = key(Listed(JsonKind(mapping=True)), default=None)
    raises: str | None = key(_KIND, default=None)
    place: Place | None = no_place()


@frozen(kw_only=True)
class GeneratorSpec:
    """A generator: what it takes, what it makes, how it runs."""

    name: str = key(_NAME)
    display_name: str = key(_TEXT, default="")
    description: str = key(_TEXT, default="")
    artifact_type: str = key(Choice(ARTIFACT_TYPES))
    provider: str = key(INSTANCE_NAME)
    docs: str = key(_TEXT, default="")
    tags: tuple[str, ...] = key(Listed(_TEXT), default=())
    enabled: bool = key(FlagKind(), default=True)
    cost: CostSpec | None = key(Shape(CostSpec), default=None)
    io: Io = key(Shape(Io))
    execution: Execution = key(Shape(Execution))
    tests: tuple[Fixture, ...] = key(Listed(Shape(Fixture)), default=())
    place: Place | None = no_place()

    @property
    def id(self) -> str:
        """``provider/name``."""
        return f"{self.provider}/{self.name}"


@frozen(kw_only=True)
class Auth:
    """How credentials go into a request."""

    kind: str = key(Choice(("bearer", "header", "query", "basic", "jwt_hs256", "none")))
    name: str | None = key(_TEXT, default=None, doc="of the header or the query parameter")
    prefix: str = key(TextKind(), default="", doc="before the key, space included")
    issuer: str | None = key(
        _TEXT, default=None, doc="for jwt_hs256: the name in secrets of what is the iss claim"
    )
    ttl: float = key(DurationKind(), default=1800.0, doc="for jwt_hs256: how long a token lives")
    place: Place | None = no_place()


@frozen
class Retry:
    """How often a request that may be repeated is repeated."""

    max: int = key(WholeKind(0), default=4)
    base: float = key(DurationKind(), default=0.5)
    cap: float = key(DurationKind(), default=30.0)


@frozen
class LimitHeaders:
    """Headers that tell how much is left."""

    remaining: str | None = key(_TEXT, default=None)
    reset: str | None = key(_TEXT, default=None, doc="seconds, an epoch, or 6m0s")


@frozen(kw_only=True)
class Limits:
    """What a provider allows."""

    concurrency: int | None = key(WholeKind(1), default=None)
    rate: tuple[int, float] | None = key(RateKind(), default=None)
    headers: LimitHeaders | None = key(Shape(LimitHeaders), default=None)


@frozen(kw_only=True)
class Upload:
    """How a file is put where the provider can fetch it."""

    init: RequestSpec = key(Shape(RequestSpec))
    capture: dict[str, Path] = key(Mapped(_PATH, _INPUT_NAME), default={})
    put: RequestSpec | None = key(Shape(RequestSpec), default=None)
    result: Template = key(_TEMPLATE)


@frozen(kw_only=True)
class Files:
    """The forms in which a provider takes files, best first."""

    accept: tuple[str, ...] = key(
        Listed(Choice(("url", "data_uri", "upload"))), default=("url", "data_uri")
    )
    data_uri_max: int = key(SizeKind(), default=1000_000)
    upload: Upload | None = key(Shape(Upload), default=None)
    place: Place | None = no_place()


@frozen(kw_only=True)
class Catalog:
    """Where any model of the provider is described."""

    model: RequestSpec = key(Shape(RequestSpec))
    importer: str = key(Choice(("cog", "fal", "openapi")))


@frozen(kw_only=True)
class ProviderSpec:
    """A provider: a definition (``type: rest``) or an instance of another one."""

    type: str = key(INSTANCE_NAME, default="rest")
    adapter: str | None = key(_ADAPTER, default=None, doc="overrides stages in Python")
    enabled: bool = key(FlagKind(), default=True)
    display_name: str = key(_TEXT, default="")
    description: str = key(_TEXT, default="")
    docs: str = key(_TEXT, default="")
    setup: str = key(_TEXT, default="", doc="shown when it is not available")
    priority: int | None = key(WholeKind(), default=None, doc="lower first")
    default_generator: str | None = key(_NAME, default=None)
    config: dict[str, Any] = key(Mapped(JsonKind()), default={})
    secrets: dict[str, str] = key(Mapped(_TEXT), default={}, doc="further secrets: name: ENV")
    auth: Auth | None = key(Shape(Auth), default=None)
    headers: dict[str, Template] = key(Mapped(_TEMPLATE), default={})
    hosts: tuple[str, ...] = key(Listed(_TEXT), default=())
    retry: Retry | None = key(Shape(Retry), default=None)
    limits: Limits | None = key(Shape(Limits), default=None)
    files: Files | None = key(Shape(Files), default=None)
    catalog: Catalog | None = key(Shape(Catalog), default=None)
    check: RequestSpec | None = key(
        Shape(RequestSpec), default=None, doc="a free request that proves the credentials"
    )
    status: StatusSpec | None = key(Shape(StatusSpec), default=None)
    errors: tuple[ErrorRule, ...] = key(Listed(Shape(ErrorRule)), default=())
    failure: FailureSpec | None = key(Shape(FailureSpec), default=None)
    cancel: RequestSpec | None = key(Shape(RequestSpec), default=None)
    reconcile: Reconcile | None = key(Shape(Reconcile), default=None)
    progress: ProgressSpec | None = key(Shape(ProgressSpec), default=None)
    webhook: Webhook | None = key(Shape(Webhook), default=None)
    deadline: Deadline | None = key(Shape(Deadline), default=None)
    place: Place | None = no_place()
