"""Which keys of a mapping go together: one table, of the checker and of the JSON Schema."""

from itertools import permutations
from typing import Any, Final

from attrs import NOTHING, Factory, frozen

from boards.spec.check.context import place_of
from boards.spec.grammar import keys_of
from boards.spec.model import (
    ActualCost,
    Auth,
    CostSpec,
    Execution,
    Fixture,
    Idempotency,
    ProgressSpec,
    RequestSpec,
    StatusSpec,
    Verify,
    WebSocket,
)
from boards.spec.places import Problems

__all__ = [
    "RULES",
    "AtLeastOne",
    "AtMostOne",
    "Needs",
    "Rule",
    "check_rules",
    "is_given",
    "rules_of",
]


@frozen
class AtLeastOne:
    """One of some keys is there, or several are."""

    keys: tuple[str, ...]
    message: str


@frozen
class AtMostOne:
    """No two of some keys are there; ``message`` is told of the second."""

    keys: tuple[str, ...]
    message: str


@frozen
class Needs:
    """Where a key is there, with one of some values if those are given, one of others is."""

    key: str
    needed: tuple[str, ...]
    message: str
    values: tuple[str, ...] = ()


Rule = AtLeastOne | AtMostOne | Needs

_EITHER: Final = "a request has either path or url"
_PRICE: Final = ("usd", "source", "as_of")
_PRICED: Final = "a list price needs usd, source and as_of: how much, where and when it was read"
_SECRET: Final = ("secret_env", "secret_request")

RULES: Final[dict[type, tuple[Rule, ...]]] = {
    RequestSpec: (
        AtLeastOne(("path", "url"), _EITHER),
        AtMostOne(("path", "url"), _EITHER),
        AtMostOne(
            ("json", "form", "multipart", "body"),
            "a request has one body: json, form, multipart or body",
        ),
    ),
    WebSocket: (
        AtLeastOne(("path", "url"), "a websocket has either path or url"),
        AtMostOne(("path", "url"), "a websocket has either path or url"),
    ),
    Idempotency: (
        AtLeastOne(("header", "body"), "idempotency names a header, or what the body has"),
    ),
    StatusSpec: (
        AtLeastOne(("map", "rules"), "a status needs at and map, or rules and else"),
        AtMostOne(("map", "rules"), "a status has either at and map, or rules"),
        AtMostOne(("at", "rules"), "a status has either at and map, or rules"),
        Needs("map", ("at",), "map needs at: the path of the value that it maps"),
        Needs(
            "map",
            ("unknown",),
            "map needs unknown: what a value that it lacks means; 'fail' or a status",
        ),
        Needs("rules", ("else",), "rules need an else: what no rule matches"),
    ),
    Execution: (Needs("webhook", ("poll",), "a webhook never stands without poll"),),
    ProgressSpec: (Needs("log_percent", ("logs",), "log_percent needs logs"),),
    CostSpec: (
        AtLeastOne(("usd", "actual"), "a cost needs usd, the list price, or actual"),
        *(Needs(key, (needed,), _PRICED) for key, needed in permutations(_PRICE, 2)),
        Needs("times", ("usd",), "times needs usd, the price of one"),
    ),
    ActualCost: (AtLeastOne(("usd", "quantity", "rates"), "actual needs usd, quantity or rates"),),
    Fixture: (AtMostOne(("outputs", "raises"), "a test has outputs, or raises an error"),),
    Auth: (
        Needs("kind", ("name",), "auth of this kind needs a name", ("header", "query")),
        Needs(
            "kind",
            ("issuer",),
            "jwt_hs256 needs an issuer: the name of one of the provider's secrets",
            ("jwt_hs256",),
        ),
    ),
    Verify: (
        Needs(
            "kind",
            _SECRET,
            "this kind of verify needs secret_env or secret_request",
            ("standard_webhooks", "fal_ed25519", "hmac_sha256"),
        ),
        Needs(
            "kind", ("header",), "hmac_sha256 needs the header of the signature", ("hmac_sha256",)
        ),
        AtMostOne(_SECRET, "a secret has one source: secret_env or secret_request"),
    ),
}
"""By model class; a class inherits the rules of its bases."""


def rules_of(model: type) -> tuple[Rule, ...]:
    """The rules of a model class and its bases."""
    return tuple(rule for base in model.__mro__ for rule in RULES.get(base, ()))


def is_given(part: Any, key: str) -> bool:
    """Whether a key stands in a mapping; a value that is its default counts as absent."""
    model: type = type(part)
    attribute = keys_of(model)[key]
    default: Any = attribute.default
    if isinstance(default, Factory):  # type: ignore[arg-type]
        default = default.factory()
    return default is NOTHING or getattr(part, attribute.name) != default


def check_rules(part: Any, problems: Problems) -> None:
    """Note which rules a part of a spec breaks."""
    for rule in rules_of(type(part)):
        match rule:
            case AtLeastOne(keys, message):
                if not any(is_given(part, key) for key in keys):
                    problems.error(place_of(part), message)
            case AtMostOne(keys, message):
                given = [key for key in keys if is_given(part, key)]
                if len(given) > 1:
                    problems.error(place_of(part, given[1]), message)
            case Needs(key, needed, message, values):
                applies = is_given(part, key) and (not values or getattr(part, key) in values)
                if applies and not any(is_given(part, one) for one in needed):
                    problems.error(place_of(part, key), message)
