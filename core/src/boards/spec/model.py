"""What a document says, once read: frozen values, the same whether from YAML or from Python.

Times are seconds, sizes bytes. ``place`` is where a mapping stood; it is never compared.
"""

from typing import Any, Final, Literal

from attrs import frozen

from boards.artifacts import ARTIFACT_TYPES
from boards.errors import PROVIDER_ERROR_KINDS
from boards.spec.grammar import (
    BAD,
    AnyOf,
    BodyKind,
    Choice,
    DurationKind,
    Fields,
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
from boards.spec.tokens import NAME_PATTERN, NAME_WORDS, Template

__all__ = [
    "INSTANCE_NAME",
    "SPEC_VERSION",
    "ActualCost",
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
    "Rate",
    "Reconcile",
    "RequestSpec",
    "Retry",
    "SchemaKind",
    "StatusRule",
    "StatusSpec",
    "Stream",
    "Submit",
    "SubmitKind",
    "Upload",
    "Verify",
    "WebSocket",
    "Webhook",
]

SPEC_VERSION: Final = 1

_TEXT = TextKind()
_NAME = TextKind(
    r"[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*(@[A-Za-z0-9._-]+)?",
    "a name such as flux-1.1-pro",
)
INSTANCE_NAME: Final = TextKind(r"[a-z0-9][a-z0-9._-]*", "a name such as replicate")
_ADAPTER = TextKind(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", "a class such as boards_acme.adapter:AcmeAdapter"
)
_HOST = TextKind(
    r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*",
    "a host such as api.acme.example, or *.acme.example for those below it",
)
_INPUT_NAME = TextKind(r"[A-Za-z_][A-Za-z0-9_-]*", "a name such as size")
_STATUS = Choice(("queued", "running", "succeeded", "failed", "canceled"))
_STATUS_OR_FAIL = Choice(("queued", "running", "succeeded", "failed", "canceled", "fail"))
_KIND = Choice(PROVIDER_ERROR_KINDS)
_TEMPLATE = TemplateKind()
_TEMPLATES = Mapped(_TEMPLATE, TextKind(NAME_PATTERN, NAME_WORDS))
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

    method: str = key(
        Choice(("GET", "POST", "PUT", "PATCH", "DELETE", "QUERY")),
        default="GET",
        doc="the HTTP method",
    )
    path: Template | None = key(_TEMPLATE, default=None, doc="follows base_url")
    base: str = key(_TEXT, default="base_url", doc="the config key of the base URL of path")
    url: Template | None = key(_TEMPLATE, default=None, doc="absolute; instead of path")
    query: dict[str, Template] = key(
        _TEMPLATES, default={}, doc="parameters, appended to the address"
    )
    headers: dict[str, Template] = key(
        _TEMPLATES, default={}, doc="beside those of the provider; these win"
    )
    json: Body | None = key(BodyKind(), default=None, doc="a JSON body, with tokens and operators")
    form: dict[str, Template] | None = key(_TEMPLATES, default=None, doc="a urlencoded body")
    multipart: dict[str, Template] | None = key(
        _TEMPLATES, default=None, doc="parts: texts, or files through |bytes"
    )
    body: Template | None = key(
        _TEMPLATE, default=None, doc="a raw body: a text, or a file through |bytes"
    )
    accept: Literal["json", "binary", "text"] = key(
        Choice(("json", "binary", "text")), default="json", doc="what a 2xx reply is"
    )
    timeout: float = key(DurationKind(), default=60.0, doc="for the whole exchange")
    auth: Literal["provider", "none"] = key(
        Choice(("provider", "none")),
        default="provider",
        doc="none: no credentials, any public host",
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class Submit(RequestSpec):
    """The request that starts a job; one of several variants where ``when`` says so."""

    method: str = key(
        Choice(("GET", "POST", "PUT", "PATCH")), default="POST", doc="the HTTP method"
    )
    when: Predicate | None = key(_PREDICATE, default=None, doc="only for a variant")
    idempotency: Idempotency | None = key(Shape(Idempotency), default=None)
    capture: dict[str, Path] = key(
        Mapped(_PATH, _INPUT_NAME), default={}, doc="what is kept of the reply, as job.NAME"
    )


class SubmitKind:
    """One submit, or several ``variants`` that share the keys beside them."""

    def read(self, value: Any, place: Place, problems: Problems) -> Any:
        shared = self.shared(value, place, problems)
        if shared is None:
            return BAD
        read = [Shape(Submit).read(one, at, problems) for one, at in shared]
        return BAD if BAD in read else tuple(read)

    def shared(
        self, value: Any, place: Place, problems: Problems
    ) -> list[tuple[Any, Place]] | None:
        """Each variant with the keys beside ``variants``; None where they are no list."""
        if not isinstance(value, Mapping) or "variants" not in value:
            return [(value, place)]
        variants = value["variants"]
        if not isinstance(variants, Sequence) or not variants:
            problems.error(value.value_places["variants"], "expected a list of variants")
            return None
        shared: list[tuple[Any, Place]] = []
        for variant, at in zip(variants, variants.item_places, strict=True):
            if not isinstance(variant, Mapping):
                shared.append((variant, at))
                continue
            both = Mapping(at)
            for origin in (variant, value):
                for name, item in origin.items():
                    if name != "variants" and name not in both:
                        both.put(name, item, origin.key_places[name], origin.value_places[name])
            shared.append((both, both.located(at)))
        return shared

    def write(self, value: tuple[Submit, ...]) -> dict[str, Any]:
        written = [Shape(Submit).write(submit) for submit in value]
        return written[0] if len(written) == 1 else {"variants": written}


@frozen(kw_only=True)
class Poll(RequestSpec):
    """The request that asks how a job is doing, and how often."""

    every: float = key(DurationKind(), default=1.0, doc="the first wait between two polls")
    backoff: float = key(NumberKind(1), default=1.5, doc="how much longer each wait is")
    max_every: float = key(DurationKind(), default=10.0, doc="the longest wait")
    after: Path | None = key(
        _PATH, default=None, doc="seconds until it is worth asking again, as the provider says"
    )


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

    each: Path = key(_PATH, doc="the jobs in the reply")
    next: Path | None = key(_PATH, default=None, doc="the address of the next page")
    max_pages: int = key(WholeKind(1), default=10, doc="how many pages are looked at")
    where: tuple[Predicate, ...] = key(
        AnyOf(_PREDICATE), doc="which element is the job; its paths begin there"
    )
    capture: dict[str, Path] = key(
        Mapped(_PATH, _INPUT_NAME), default={}, doc="what is kept of the element, as job.NAME"
    )


@frozen
class StatusRule:
    """One rule of a status."""

    when: Predicate = key(_PREDICATE, doc="the replies that it is for")
    status: str = key(_STATUS, name="is", doc="the status that they mean")


@frozen(kw_only=True)
class StatusSpec:
    """How a reply tells the normalised status: a map of a value, or rules."""

    at: Path | None = key(_PATH, default=None, doc="the value that map has words for")
    map: dict[str, str] = key(Mapped(_STATUS), default={}, doc="the provider's words, in ours")
    unknown: str | None = key(_STATUS_OR_FAIL, default=None, doc="a value that map lacks")
    absent: str | None = key(_STATUS_OR_FAIL, default=None, doc="no value at all")
    combine: str | None = key(
        Choice(("all",)), default=None, doc="all: one failed value fails, all must have succeeded"
    )
    fail_if: Predicate | None = key(
        _PREDICATE, default=None, doc="replies that mean failed, whatever the value"
    )
    rules: tuple[StatusRule, ...] = key(
        Listed(Shape(StatusRule)), default=(), doc="the first that holds"
    )
    otherwise: str | None = key(_STATUS, default=None, name="else", doc="what no rule matches")
    place: Place | None = no_place()


@frozen(kw_only=True)
class ProgressSpec:
    """Where a reply tells how far a job is."""

    percent: Path | None = key(_PATH, default=None, doc="0 to 100")
    fraction: Path | None = key(_PATH, default=None, doc="0 to 1")
    queue_position: Path | None = key(_PATH, default=None, doc="0 is next")
    logs: Path | None = key(_PATH, default=None, doc="lines so far")
    log_percent: str | None = key(Choice(("tqdm",)), default=None, doc="read the percent in logs")
    place: Place | None = no_place()


@frozen(kw_only=True)
class OutputSpec:
    """Where a final reply has outputs, and in which form."""

    source: Path = key(_PATH, name="from", doc="where it is")
    each: Path | None = key(_PATH, default=None, doc="elements; the other paths are relative")
    form: str = key(
        Choice(("url", "base64", "data_uri", "bytes", "text", "json")),
        default="url",
        name="as",
        doc="in which form it is there",
    )
    mime: str | None = key(_TEXT, default=None, doc="a media type, or a path to one")
    expires: float | None = key(
        DurationKind(),
        default=None,
        doc="how long the address lives; such outputs are fetched first",
    )
    fetch_auth: str = key(
        Choice(("none", "same_origin")),
        default="none",
        doc="same_origin: with credentials, from the provider's own address",
    )
    meta: dict[str, Path] = key(Mapped(_PATH), default={}, doc="facts to keep with the artifact")
    request: RequestSpec | None = key(
        Shape(RequestSpec), default=None, doc="fetches the file; ${item} is the value found"
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class Extract:
    """What of the final reply is the result."""

    output_paths: tuple[Path, ...] = key(
        Listed(_PATH),
        default=(),
        doc="the short form: below the reply's body, every address is a file",
    )
    outputs: tuple[OutputSpec, ...] = key(
        Listed(Shape(OutputSpec)), default=(), doc="the full form"
    )
    place: Place | None = no_place()


@frozen
class Raise:
    """An error kind for failed jobs that look so."""

    when: Predicate = key(_PREDICATE, doc="the failed jobs that it is for")
    kind: str = key(_KIND, name="raise", doc="the kind of error")


@frozen(kw_only=True)
class FailureSpec:
    """What a failed job tells."""

    message: Path | None = key(_PATH, default=None, doc="what the provider says of it")
    kinds: tuple[Raise, ...] = key(
        Listed(Shape(Raise)),
        default=(),
        name="raise",
        doc="kinds of error, where it is not `provider`",
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class ErrorRule:
    """An error kind for replies that look so."""

    when: Predicate = key(_PREDICATE, doc="the replies that it is for")
    kind: str = key(_KIND, name="raise", doc="the kind of error")
    message: Path | None = key(_PATH, default=None, doc="what the provider says of it")
    after: Path | None = key(_PATH, default=None, doc="seconds to wait")
    refused: bool = key(FlagKind(), default=False, doc="nothing was accepted: may be sent again")


@frozen
class Deadline:
    """How long a job may wait and run."""

    queue: float = key(DurationKind(), default=1800.0, doc="until it runs")
    run: float = key(DurationKind(), default=3600.0, doc="until it ends, once it runs")


@frozen(kw_only=True)
class SecretRequest(RequestSpec):
    """Fetches what verifies webhooks; ``capture`` names the ``secret`` in its reply."""

    capture: dict[str, Path] = key(
        Mapped(_PATH, _INPUT_NAME),
        default={},
        doc="`secret`: where the secret, or the keys, are in the reply",
    )


@frozen(kw_only=True)
class Verify:
    """How a webhook proves its sender."""

    kind: str = key(
        Choice(("standard_webhooks", "fal_ed25519", "hmac_sha256", "none")),
        doc="the scheme of the signature",
    )
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
    body_at: Path | None = key(
        _PATH, default=None, doc="what of the call stands for the reply to result"
    )
    status: StatusSpec | None = key(
        Shape(StatusSpec),
        default=None,
        doc="of the call, where it is not shaped like a poll's reply",
    )
    then: str = key(
        Choice(("poll", "accept")),
        default="poll",
        doc="poll: a call only wakes the job; accept: it counts as a reply",
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class Execution:
    """How a generator runs."""

    type: str = key(
        Choice(("rest", "adapter")),
        default="rest",
        doc="adapter: the provider's adapter submits, and no submit is needed here",
    )
    let: dict[str, Body] = key(
        Mapped(BodyKind(), _INPUT_NAME),
        default={},
        doc="values derived from inputs, in order, as let.NAME",
    )
    submit: tuple[Submit, ...] = key(SubmitKind(), default=())
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
    errors: tuple[ErrorRule, ...] = key(
        Listed(Shape(ErrorRule)), default=(), doc="which replies are errors, before the provider's"
    )
    deadline: Deadline | None = key(Shape(Deadline), default=None)
    place: Place | None = no_place()

    @property
    def synchronous(self) -> bool:
        """The submit's reply is the result."""
        return self.poll is None and self.stream is None and self.websocket is None


@frozen(kw_only=True)
class Rate:
    """Units with a price of their own, as tokens that go in and tokens that come out."""

    quantity: Path = key(_PATH, doc="how many units")
    usd: float = key(NumberKind(), doc="US dollars for one of these")


@frozen(kw_only=True)
class ActualCost:
    """Where the last reply of a job tells what it did cost; several values are added up."""

    usd: Path | None = key(_PATH, default=None, doc="US dollars")
    quantity: Path | None = key(_PATH, default=None, doc="how many units, each at the list price")
    rates: tuple[Rate, ...] = key(
        Listed(Shape(Rate)), default=(), doc="units whose prices differ; they are added up"
    )
    place: Place | None = no_place()


@frozen(kw_only=True)
class CostSpec:
    """What a generation costs: a list price, and where the provider tells it afterwards."""

    unit: str = key(
        Choice(
            (
                "image",
                "second",
                "character",
                "token",
                "megapixel",
                "compute_second",
                "credit",
                "generation",
            )
        ),
        doc="what the price is for",
    )
    usd: float | None = key(NumberKind(), default=None, doc="US dollars for one unit")
    times: Template | None = key(
        _TEMPLATE,
        default=None,
        doc="how many units, from the input; of a text, its characters",
    )
    source: str | None = key(_TEXT, default=None, doc="where the price was read")
    as_of: str | None = key(
        TextKind(r"\d{4}-\d{2}-\d{2}", "a date such as 2025-01-15"),
        default=None,
        doc="when it was read",
    )
    actual: ActualCost | None = key(
        Shape(ActualCost), default=None, doc="where the provider tells what it did cost"
    )
    place: Place | None = no_place()


class SchemaKind:
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

    input_schema: dict[str, Any] = key(
        SchemaKind(),
        doc="JSON Schema 2020-12 of an object; an artifact has format image, audio, ...",
    )
    output_schema: dict[str, Any] = key(
        JsonKind(mapping=True), default={}, doc="for readers; never validated"
    )


_JSON = JsonKind()
_OBJECT = JsonKind(mapping=True)
_EXPECT = Fields(
    {
        "method": _TEXT,
        "url": _TEXT,
        "path": _TEXT,
        "query": _OBJECT,
        "headers": _OBJECT,
        "json": _JSON,
        "form": _OBJECT,
        "multipart": _OBJECT,
        "body": _JSON,
    }
)
_REPLY = Fields(
    {"status": WholeKind(100), "headers": _OBJECT, "json": _JSON, "text": _TEXT, "bytes": _TEXT}
)
_OUTPUT = Fields(
    {
        "url": _TEXT,
        "text": _TEXT,
        "bytes": _TEXT,
        "json": _JSON,
        "mime": TextKind(or_null=True),
        "meta": _OBJECT,
    }
)


@frozen(kw_only=True)
class Exchange:
    """One request that a fixture expects, and the reply that it gets."""

    expect: dict[str, Any] = key(_EXPECT, default={}, doc="what is sent; keys given are compared")
    reply: dict[str, Any] = key(_REPLY, doc="what comes back; status 200 unless it says so")
    place: Place | None = no_place()


@frozen(kw_only=True)
class Fixture:
    """A test of a generator, offline: exchanges in order, and what comes of them."""

    name: str = key(_TEXT, default="", doc="what it shows")
    input: dict[str, Any] = key(JsonKind(mapping=True), default={}, doc="as a caller gives it")
    exchanges: tuple[Exchange, ...] = key(
        Listed(Shape(Exchange)), default=(), doc="requests and their replies, in order"
    )
    outputs: tuple[dict[str, Any], ...] | None = key(
        Listed(_OUTPUT), default=None, doc="what comes of it; keys given are compared"
    )
    raises: str | None = key(_KIND, default=None, doc="or the kind of error that comes of it")
    place: Place | None = no_place()


@frozen(kw_only=True)
class GeneratorSpec:
    """A generator: what it takes, what it makes, how it runs."""

    name: str = key(_NAME, doc="unique for its provider; a version may follow an @")
    display_name: str = key(_TEXT, default="", doc="for people")
    description: str = key(_TEXT, default="", doc="one sentence, for people")
    artifact_type: str = key(Choice(ARTIFACT_TYPES), doc="what it makes")
    provider: str = key(INSTANCE_NAME, doc="the provider that runs it")
    docs: str = key(_TEXT, default="", doc="where it is documented")
    tags: tuple[str, ...] = key(Listed(_TEXT), default=(), doc="for searching")
    enabled: bool = key(FlagKind(), default=True, doc="false: not offered")
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

    kind: str = key(
        Choice(("bearer", "header", "query", "basic", "jwt_hs256", "none")), doc="the scheme"
    )
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

    max: int = key(WholeKind(0), default=4, doc="how often at most")
    base: float = key(DurationKind(), default=0.5, doc="the first wait")
    cap: float = key(DurationKind(), default=30.0, doc="the longest wait")


@frozen
class LimitHeaders:
    """Headers that tell how much is left."""

    remaining: str | None = key(_TEXT, default=None, doc="how many requests are left")
    reset: str | None = key(_TEXT, default=None, doc="seconds, an epoch, or 6m0s")


@frozen(kw_only=True)
class Limits:
    """What a provider allows."""

    concurrency: int | None = key(WholeKind(1), default=None, doc="how many submits at once")
    rate: tuple[int, float] | None = key(RateKind(), default=None, doc="submits in a time: 600/1m")
    headers: LimitHeaders | None = key(Shape(LimitHeaders), default=None)


@frozen(kw_only=True)
class Upload:
    """How a file is put where the provider can fetch it."""

    init: RequestSpec = key(Shape(RequestSpec))
    capture: dict[str, Path] = key(
        Mapped(_PATH, _INPUT_NAME),
        default={},
        doc="what is kept of the reply to init, as upload.NAME",
    )
    put: RequestSpec | None = key(Shape(RequestSpec), default=None)
    result: Template = key(_TEMPLATE, doc="the address that a request takes")
    expires: float | None = key(
        DurationKind(),
        default=None,
        doc="how long it lives; in the first half, the same file is not uploaded again",
    )


@frozen(kw_only=True)
class Files:
    """The forms in which a provider takes files, best first."""

    accept: tuple[str, ...] = key(
        Listed(Choice(("url", "data_uri", "base64", "upload"))),
        default=("url", "data_uri"),
        doc="forms that are taken, best first",
    )
    data_uri_max: int = key(SizeKind(), default=1000_000, doc="up to which size a data URI is used")
    upload: Upload | None = key(Shape(Upload), default=None)
    place: Place | None = no_place()


@frozen(kw_only=True)
class Catalog:
    """Where any model of the provider is described."""

    model: RequestSpec = key(Shape(RequestSpec))
    importer: str = key(Choice(("cog", "fal", "openapi")), doc="what reads the description")


@frozen(kw_only=True)
class ProviderSpec:
    """A provider: a definition (``type: rest``) or an instance of another one."""

    type: str = key(
        INSTANCE_NAME,
        default="rest",
        doc="absent: a definition and an instance in one; else the definition",
    )
    adapter: str | None = key(_ADAPTER, default=None, doc="overrides stages in Python")
    enabled: bool = key(FlagKind(), default=True, doc="false: not offered")
    display_name: str = key(_TEXT, default="", doc="for people")
    description: str = key(_TEXT, default="", doc="one sentence, for people")
    docs: str = key(_TEXT, default="", doc="where it is documented")
    setup: str = key(_TEXT, default="", doc="shown when it is not available")
    priority: int | None = key(WholeKind(), default=None, doc="lower first")
    default_generator: str | None = key(_NAME, default=None, doc="what @NAME stands for")
    config: dict[str, Any] = key(
        Mapped(JsonKind()),
        default={},
        doc="base_url, api_key_env, and what requests take as config.NAME",
    )
    secrets: dict[str, str] = key(Mapped(_TEXT), default={}, doc="further secrets: name: ENV")
    auth: Auth | None = key(Shape(Auth), default=None)
    headers: dict[str, Template] = key(_TEMPLATES, default={}, doc="with every request")
    hosts: tuple[str, ...] = key(
        Listed(_HOST),
        default=(),
        doc="where credentials may go, beside the hosts in config: *.acme.example",
    )
    retry: Retry | None = key(Shape(Retry), default=None)
    limits: Limits | None = key(Shape(Limits), default=None)
    files: Files | None = key(Shape(Files), default=None)
    catalog: Catalog | None = key(Shape(Catalog), default=None)
    check: RequestSpec | None = key(
        Shape(RequestSpec), default=None, doc="a free request that proves the credentials"
    )
    status: StatusSpec | None = key(Shape(StatusSpec), default=None)
    errors: tuple[ErrorRule, ...] = key(
        Listed(Shape(ErrorRule)),
        default=(),
        doc="which replies are errors, after the generator's own",
    )
    failure: FailureSpec | None = key(Shape(FailureSpec), default=None)
    cancel: RequestSpec | None = key(Shape(RequestSpec), default=None)
    reconcile: Reconcile | None = key(Shape(Reconcile), default=None)
    progress: ProgressSpec | None = key(Shape(ProgressSpec), default=None)
    webhook: Webhook | None = key(Shape(Webhook), default=None)
    deadline: Deadline | None = key(Shape(Deadline), default=None)
    place: Place | None = no_place()
