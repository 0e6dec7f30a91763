"""One token: whether it is signed by a key, and whether it counts here and now."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from joserfc import jws
from joserfc.errors import JoseError

from boards.errors import AuthError

if TYPE_CHECKING:
    from boards_jwt.keys import VerificationKey

__all__ = ["ASYMMETRIC", "SYMMETRIC", "Header", "Rules", "claim", "header_of", "verified"]

ASYMMETRIC: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "Ed25519", "Ed448", "EdDSA",
)  # fmt: skip
"""Algorithms whose keys are public."""

SYMMETRIC: Final = ("HS256", "HS384", "HS512")
"""Algorithms whose key is a secret."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_MOST: Final = 16_384
"""Characters of a token: headers of a request are not longer."""


@frozen
class Rules:
    """What counts.

    Attributes:
        audience: The names of this service; a token must be for one of them.
        issuer: Who must have issued it; None for whoever has the key.
        algorithms: Those that it may be signed with.
        types: What the ``typ`` of its header must be one of, in any case (``at+jwt``); empty for
            anything.
        leeway: Seconds by which clocks may differ.
    """

    audience: tuple[str, ...] = field()
    issuer: str | None = None
    algorithms: tuple[str, ...] = ASYMMETRIC
    types: tuple[str, ...] = ()
    leeway: float = 30.0

    @audience.validator
    def _is_some(self, _: Any, audience: tuple[str, ...]) -> None:
        if isinstance(audience, str) or not audience or not all(audience):
            raise ValueError("audience: expected at least one name of this service")

    def __attrs_post_init__(self) -> None:
        known = {*ASYMMETRIC, *SYMMETRIC}
        if not self.algorithms or (strange := set(self.algorithms) - known):
            told = ", ".join(sorted(strange)) if self.algorithms else "none"
            raise ValueError(f"algorithms: {told}; there are {', '.join(sorted(known))}")


@frozen
class Header:
    """What a token says of itself, before anything of it is proved.

    Attributes:
        token: All of it.
        algorithm: One that is allowed.
        kid: The key that it names, if it names any.
    """

    token: str = field(repr=False)
    algorithm: str
    kid: str | None


class _Registry(jws.JWSRegistry):
    """The rules of joserfc, where the algorithm was looked at before."""

    max_header_length = _MOST
    max_payload_length = _MOST

    def get_alg(self, name: str) -> Any:
        # It warns of this name, which RFC 9864 replaces, and which most issuers use still.
        return self.algorithms[name] if name == "EdDSA" else super().get_alg(name)


def header_of(token: str, rules: Rules) -> Header:
    """The header of a token, if it is one and may be right.

    Raises:
        AuthError: It is no signed token, or not one of these rules.
    """
    if len(token) > _MOST or not _TOKEN.fullmatch(token):
        raise AuthError("The credentials hold no signed JSON web token.")
    header = _decoded(token.partition(".")[0])
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise AuthError("The token is signed in a way that is not allowed here.")
    if "crit" in header or header.get("b64") is False or not isinstance(kid, str | None):
        # Whatever it is, it must be understood, and is not (RFC 7515, section 4.1.11).
        raise AuthError("The token's header asks for what is not known here.")
    kind = header.get("typ")
    if rules.types and (not isinstance(kind, str) or _type(kind) not in map(_type, rules.types)):
        raise AuthError("The token is of another type.")
    return Header(token, algorithm, kid)


def _type(kind: str) -> str:
    """A media type, written in full or without its beginning (RFC 7515, section 4.1.9)."""
    return kind.lower().removeprefix("application/")


def verified(
    header: Header, keys: "tuple[VerificationKey, ...] | list[VerificationKey]"
) -> dict[str, Any]:
    """The claims of a token that one of these keys signed.

    Raises:
        AuthError: None of them did.
    """
    registry = _Registry(algorithms=[header.algorithm], strict_check_header=False)
    for one in keys:
        if header.algorithm not in one.algorithms:
            continue
        try:
            jws.deserialize_compact(header.token, one.key, registry=registry)
        except (JoseError, InvalidKey, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        return _decoded(header.token.split(".")[1])
    raise AuthError("The token is signed by no key that is trusted here.")


def refuse_unfit(claims: Mapping[str, Any], rules: Rules, now: float) -> None:
    """Refuse a token that is another service's or another issuer's, or not of this time.

    Raises:
        AuthError: It does not count here and now.
    """
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        raise AuthError("The token is of another issuer.")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(one in rules.audience for one in named if isinstance(one, str)):
        raise AuthError("The token is for another audience.")
    if now >= _time(claims, "exp") + rules.leeway:
        raise AuthError("The token has expired.", remedy="Get a new one.")
    for name in ("nbf", "iat"):
        if name in claims and now < _time(claims, name) - rules.leeway:
            raise AuthError("The token does not count yet.")


def claim(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is a text: by its name, or by a JSON Pointer (``/realm/name``).

    Raises:
        AuthError: It is missing, empty, or something else.
    """
    value: Any = claims
    for step in name[1:].split("/") if name.startswith("/") else [name]:
        key = step.replace("~1", "/").replace("~0", "~") if name.startswith("/") else step
        value = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise AuthError(f"The token has no claim {name} that is a text.")
    return value


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AuthError(f"The token has no time in {name}.")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise AuthError(f"The token has no time in {name}.")
    return seconds


def _decoded(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        value = None
    if not isinstance(value, dict):
        raise AuthError("The credentials hold no signed JSON web token.")
    return value
