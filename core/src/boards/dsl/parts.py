"""What a generator and a provider are made of: requests, statuses, outputs, limits.

Each class has the keys of its model class, by the same names; where a name is a word of Python, an
underscore follows it. A part remembers where it was made.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias, TypedDict, Unpack

import attrs
from attrs import field, frozen

from boards.dsl.origin import CallSite, caller
from boards.dsl.references import Let, Path, Predicate, Token, Value
from boards.errors import ProviderErrorKind
from boards.spec import model

__all__ = [
    "ActualCost",
    "Auth",
    "Body",
    "Catalog",
    "Cost",
    "Deadline",
    "Error",
    "Exchange",
    "Failure",
    "Files",
    "Fixture",
    "Idempotency",
    "LimitHeaders",
    "Limits",
    "Operator",
    "Output",
    "Part",
    "Progress",
    "Raise",
    "Rate",
    "Request",
    "Retry",
    "Rule",
    "Status",
    "Upload",
    "Variants",
    "Verify",
    "WebSocket",
    "Webhook",
    "concat",
    "delete",
    "each",
    "get",
    "let",
    "map_",
    "patch",
    "post",
    "put",
    "ratio",
    "request",
    "secret",
    "variants",
    "when",
]

Text: TypeAlias = str | Token
"""A text; an f-string may have tokens in it."""

Body: TypeAlias = (
    "Token | Operator | str | int | float | bool | Sequence[Body] | Mapping[str, Body] | None"
)
"""JSON with tokens and operators."""

Form: TypeAlias = Literal["url", "base64", "data_uri", "bytes", "text", "json"]
StatusName: TypeAlias = Literal["queued", "running", "succeeded", "failed", "canceled"]
ErrorKind: TypeAlias = ProviderErrorKind


class Part:
    """A mapping of the language, made in Python.

    Attributes:
        site: Where.
    """

    __slots__ = ()
    site: CallSite

    @property
    def positional(self) -> tuple[str, ...]:
        """The keys of its positional arguments."""
        return ()

    def keys(self) -> dict[str, Any]:
        """What it says, by the keys of the language."""
        raise NotImplementedError


def _here() -> CallSite:
    return caller(2)  # of the generated __init__, not of this


@frozen(eq=False)
class _Part(Part):
    """A part that is a class; what is None is not said."""

    model: ClassVar[type]
    site: CallSite = field(init=False, repr=False, factory=_here)

    @property
    def positional(self) -> tuple[str, ...]:
        return positional_keys(type(self))

    def keys(self) -> dict[str, Any]:
        return {
            one.name.rstrip("_"): value
            for one in attrs.fields(type(self))
            if one.init and (value := getattr(self, one.name)) is not None
        }


def positional_keys(part: type) -> tuple[str, ...]:
    """The keys that a part takes by position."""
    return tuple(one.name.rstrip("_") for one in attrs.fields(part) if one.init and not one.kw_only)


# Requests


class RequestKeys(TypedDict, total=False):
    """What a request says beside its method and path."""

    base: str
    url: Text
    query: Mapping[str, Text | int | float]
    headers: Mapping[str, Text | int | float]
    json: Body
    form: Mapping[str, Text | int | float]
    multipart: Mapping[str, Text | int | float]
    body: Text
    accept: Literal["json", "binary", "text"]
    timeout: str
    auth: Literal["provider", "none"]
    # of a submit
    when: Predicate
    idempotency: "Idempotency"
    capture: Mapping[str, Path]
    # of a poll
    every: str
    backoff: float
    max_every: str
    after: Path
    # of what reconciles
    each: Path
    next: Path
    max_pages: int
    where: Predicate | Sequence[Predicate]


@frozen(eq=False)
class Request(Part):
    """One HTTP request; made by :func:`get`, :func:`post` and so on."""

    _keys: dict[str, Any]
    site: CallSite = field(repr=False)
    _positional: tuple[str, ...] = ("path",)

    @property
    def positional(self) -> tuple[str, ...]:
        return self._positional

    def keys(self) -> dict[str, Any]:
        return self._keys


def _request(method: str, path: Text | None, keys: Mapping[str, Any]) -> Request:
    at = {} if path is None else {"path": path}
    return Request({"method": method, **at, **keys}, caller(2))


def get(path: Text | None = None, /, **keys: Unpack[RequestKeys]) -> Request:
    """A GET request.

    Args:
        path: Follows the provider's ``base_url``, or the key of its config that ``base`` names.
            Instead of it, ``url=`` is an absolute address.
        keys: What else it says.
    """
    return _request("GET", path, keys)


def post(path: Text | None = None, /, **keys: Unpack[RequestKeys]) -> Request:
    """A POST request; like :func:`get`."""
    return _request("POST", path, keys)


def put(path: Text | None = None, /, **keys: Unpack[RequestKeys]) -> Request:
    """A PUT request; like :func:`get`."""
    return _request("PUT", path, keys)


def patch(path: Text | None = None, /, **keys: Unpack[RequestKeys]) -> Request:
    """A PATCH request; like :func:`get`."""
    return _request("PATCH", path, keys)


def delete(path: Text | None = None, /, **keys: Unpack[RequestKeys]) -> Request:
    """A DELETE request; like :func:`get`."""
    return _request("DELETE", path, keys)


def request(
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "QUERY"],
    path: Text | None = None,
    /,
    **keys: Unpack[RequestKeys],
) -> Request:
    """A request of any method; like :func:`get`."""
    made = _request(method, path, keys)
    return attrs.evolve(made, positional=("method", "path"))


@frozen(eq=False)
class Variants(Part):
    """Several submits, of which the first that fits is sent; made by :func:`variants`."""

    requests: tuple[Request, ...]
    shared: dict[str, Any]
    site: CallSite = field(repr=False)

    def keys(self) -> dict[str, Any]:
        return self.shared


def variants(*requests: Request, **shared: Unpack[RequestKeys]) -> Variants:
    """The first submit whose ``when`` holds; the last one has none.

    Args:
        requests: In order.
        shared: Keys of all that do not say otherwise.
    """
    return Variants(requests, dict(shared), caller())


@frozen(eq=False)
class Idempotency(_Part):
    """How a repeated submit is recognised by the provider."""

    model = model.Idempotency

    header: str | None = None
    body: Literal["run.uuid", "run.idempotency_key"] | None = field(default=None, kw_only=True)
    conflict: Predicate | None = field(default=None, kw_only=True)


@frozen(eq=False)
class WebSocket(_Part):
    """A socket that replaces submit and poll; ``match`` is a condition on ``frame``."""

    model = model.WebSocket

    match: Predicate = field(kw_only=True)
    url: Text | None = field(default=None, kw_only=True)
    path: Text | None = field(default=None, kw_only=True)
    base: str | None = field(default=None, kw_only=True)
    open: Sequence[Body] | None = field(default=None, kw_only=True)
    send: Literal["submit.json"] | None = field(default=None, kw_only=True)


# Replies


@frozen(eq=False)
class Rule(_Part):
    """A status, when a condition holds: ``Rule("failed", when=body.error.exists())``."""

    model = model.StatusRule

    is_: StatusName
    when: Predicate = field(kw_only=True)


@frozen(eq=False)
class Status(_Part):
    """How a reply tells the status: a map of a value, or rules."""

    model = model.StatusSpec

    at: Path | None = None
    map: Mapping[str, StatusName] | None = None
    unknown: StatusName | Literal["fail"] | None = field(default=None, kw_only=True)
    absent: StatusName | Literal["fail"] | None = field(default=None, kw_only=True)
    combine: Literal["all"] | None = field(default=None, kw_only=True)
    fail_if: Predicate | None = field(default=None, kw_only=True)
    rules: Sequence[Rule] | None = field(default=None, kw_only=True)
    else_: StatusName | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Progress(_Part):
    """Where a reply tells how far a job is."""

    model = model.ProgressSpec

    percent: Path | None = field(default=None, kw_only=True)
    fraction: Path | None = field(default=None, kw_only=True)
    queue_position: Path | None = field(default=None, kw_only=True)
    logs: Path | None = field(default=None, kw_only=True)
    log_percent: Literal["tqdm"] | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Output(_Part):
    """Where a final reply has outputs, and in which form.

    With ``each``, the other paths begin at ``element``.
    """

    model = model.OutputSpec

    from_: Path
    each: Path | None = field(default=None, kw_only=True)
    as_: Form | None = field(default=None, kw_only=True)
    mime: str | Path | None = field(default=None, kw_only=True)
    expires: str | None = field(default=None, kw_only=True)
    fetch_auth: Literal["none", "same_origin"] | None = field(default=None, kw_only=True)
    meta: Mapping[str, Path] | None = field(default=None, kw_only=True)
    request: Request | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Raise(_Part):
    """An error kind for failed jobs, when a condition holds."""

    model = model.Raise

    raise_: ErrorKind
    when: Predicate = field(kw_only=True)


@frozen(eq=False)
class Failure(_Part):
    """What a failed job tells."""

    model = model.FailureSpec

    message: Path | None = None
    raise_: Sequence[Raise] | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Error(_Part):
    """An error kind for replies, when a condition holds."""

    model = model.ErrorRule

    raise_: ErrorKind
    when: Predicate = field(kw_only=True)
    message: Path | None = field(default=None, kw_only=True)
    after: Path | None = field(default=None, kw_only=True)
    refused: bool | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Deadline(_Part):
    """How long a job may wait and run: ``Deadline(queue="10m", run="1h")``."""

    model = model.Deadline

    queue: str | None = field(default=None, kw_only=True)
    run: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Verify(_Part):
    """How a webhook proves its sender."""

    model = model.Verify

    kind: Literal["standard_webhooks", "fal_ed25519", "hmac_sha256", "none"]
    secret_env: str | None = field(default=None, kw_only=True)
    secret_request: Request | None = field(default=None, kw_only=True)
    header: str | None = field(default=None, kw_only=True)
    prefix: str | None = field(default=None, kw_only=True)
    encoding: Literal["hex", "base64"] | None = field(default=None, kw_only=True)
    tolerance: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Webhook(_Part):
    """What a provider's call back means."""

    model = model.Webhook

    verify: Verify
    body_at: Path | None = field(default=None, kw_only=True)
    status: Status | None = field(default=None, kw_only=True)
    then: Literal["poll", "accept"] | None = field(default=None, kw_only=True)


# What a generator says beside how it runs


@frozen(eq=False)
class Rate(_Part):
    """Units with a price of their own: ``Rate(body.usage.output_tokens, usd=0.00003)``."""

    model = model.Rate

    quantity: Path
    usd: float = field(kw_only=True)


@frozen(eq=False)
class ActualCost(_Part):
    """Where the last reply tells what a job did cost: ``ActualCost(usd=body.price)``."""

    model = model.ActualCost

    usd: Path | None = field(default=None, kw_only=True)
    quantity: Path | None = field(default=None, kw_only=True)
    rates: Sequence[Rate] | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Cost(_Part):
    """A list price: ``Cost("image", usd=0.04, source="https://...", as_of="2025-01-15")``."""

    model = model.CostSpec

    unit: Literal[
        "image",
        "second",
        "character",
        "token",
        "megapixel",
        "compute_second",
        "credit",
        "generation",
    ]
    usd: float | None = field(default=None, kw_only=True)
    source: str | None = field(default=None, kw_only=True)
    as_of: str | None = field(default=None, kw_only=True)
    times: Text | None = field(default=None, kw_only=True)
    actual: ActualCost | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Exchange(_Part):
    """One request that a fixture expects, and the reply that it gets."""

    model = model.Exchange

    reply: Mapping[str, Any] = field(kw_only=True)
    expect: Mapping[str, Any] | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Fixture(_Part):
    """A test of the generator, offline: exchanges in order, and what comes of them."""

    model = model.Fixture

    name: str | None = None
    input: Mapping[str, Any] | None = field(default=None, kw_only=True)
    exchanges: Sequence[Exchange] | None = field(default=None, kw_only=True)
    outputs: Sequence[Mapping[str, Any]] | None = field(default=None, kw_only=True)
    raises: ErrorKind | None = field(default=None, kw_only=True)


# What a provider is made of


@frozen(eq=False)
class Auth(_Part):
    """How credentials go into a request: ``Auth("header", name="X-Key")``."""

    model = model.Auth

    kind: Literal["bearer", "header", "query", "basic", "jwt_hs256", "none"]
    name: str | None = field(default=None, kw_only=True)
    prefix: str | None = field(default=None, kw_only=True)
    issuer: str | None = field(default=None, kw_only=True)
    ttl: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Retry(_Part):
    """How often a request that may be repeated is repeated."""

    model = model.Retry

    max: int | None = field(default=None, kw_only=True)
    base: str | None = field(default=None, kw_only=True)
    cap: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class LimitHeaders(_Part):
    """Headers that tell how much is left."""

    model = model.LimitHeaders

    remaining: str | None = field(default=None, kw_only=True)
    reset: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Limits(_Part):
    """What a provider allows: ``Limits(concurrency=20, rate="600/1m")``."""

    model = model.Limits

    concurrency: int | None = field(default=None, kw_only=True)
    rate: str | None = field(default=None, kw_only=True)
    headers: LimitHeaders | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Upload(_Part):
    """How a file is put where the provider can fetch it."""

    model = model.Upload

    init: Request = field(kw_only=True)
    result: Text = field(kw_only=True)
    capture: Mapping[str, Path] | None = field(default=None, kw_only=True)
    put: Request | None = field(default=None, kw_only=True)
    expires: str | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Files(_Part):
    """The forms in which a provider takes files, best first."""

    model = model.Files

    accept: Sequence[Literal["url", "data_uri", "upload"]] | None = None
    data_uri_max: str | None = field(default=None, kw_only=True)
    upload: Upload | None = field(default=None, kw_only=True)


@frozen(eq=False)
class Catalog(_Part):
    """Where any model of the provider is described."""

    model = model.Catalog

    request: Request
    importer: Literal["cog", "fal", "openapi"] = field(kw_only=True)

    def keys(self) -> dict[str, Any]:
        return {"model": self.request, "importer": self.importer}


# Operators


@frozen(eq=False)
class Operator(Part):
    """An operator in a body; made by :func:`map_`, :func:`when`, :func:`each` and so on."""

    _keys: dict[str, Any]
    site: CallSite = field(repr=False)
    _positional: tuple[str, ...] = ()

    @property
    def positional(self) -> tuple[str, ...]:
        return self._positional

    def keys(self) -> dict[str, Any]:
        return self._keys


_NOTHING: Any = object()


def _else(keys: dict[str, Any], otherwise: Any) -> dict[str, Any]:
    return keys if otherwise is _NOTHING else {**keys, "else": otherwise}


def map_(value: Token, to: Mapping[str, Body], *, else_: Body = _NOTHING) -> Operator:
    """What a value stands for: ``map_(input.size, {"small": 512, "large": 1024})``."""
    return Operator(_else({"$map": value, "to": to}, else_), caller(), ("$map", "to"))


def when(condition: Predicate, then: Body, *, else_: Body = _NOTHING) -> Operator:
    """A value, if a condition holds; without ``else_``, its key is left out otherwise."""
    return Operator(_else({"$when": condition, "then": then}, else_), caller(), ("$when", "then"))


def each(values: Token, do: Body) -> Operator:
    """A list, made of each element of an input: ``each(input.images, {"url": item.url})``."""
    return Operator({"$each": values, "do": do}, caller(), ("$each", "do"))


def concat(*parts: "Sequence[Body] | Operator") -> Operator:
    """One list of the items of several."""
    return Operator({"$concat": list(parts)}, caller())


def ratio(width: Token, height: Token) -> Operator:
    """Two integers as an aspect ratio: 1344 and 768 are ``7:4``."""
    return Operator({"$ratio": [width, height]}, caller())


def secret(name: str = "api_key") -> Operator:
    """A secret, in a frame that opens a websocket: the key, or one that ``secrets`` names."""
    return Operator({"$secret": name}, caller(), ("$secret",))


class _Lets:
    """``let(value)`` derives a value; ``let.NAME`` is the token of one by its name."""

    def __call__(self, value: Body, *, name: str | None = None) -> Let:
        return Let(value, name)

    def __getattr__(self, name: str) -> Token:
        if name.startswith("_"):
            raise AttributeError(name)
        return Value("let", (name,))

    def __getitem__(self, name: str) -> Token:
        return Value("let", (name,))


let = _Lets()
"""A derived value, in the body of a class: ``size = let(f"{input.width}x{input.height}")``."""
