"""Keys that signatures are verified with, and which of them a token may be signed with.

A key tells by its kind which algorithms it is for. That alone keeps a public key from being taken
for the secret of an HMAC, whatever the header of a token says (RFC 8725, section 2.1).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey

__all__ = ["Keys", "StaticKeys", "VerificationKey", "key_set", "pem_key", "secret_key"]

_CURVES: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_EDWARDS: Final = {"Ed25519": ("Ed25519", "EdDSA"), "Ed448": ("Ed448", "EdDSA")}
_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_HMAC: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518, section 3.2: a secret is at least as long as the hash, in bytes."""
_LEAST_RSA_BITS: Final = 2048
"""RFC 7518, section 3.3."""
_MOST_KEYS: Final = 100
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_ASYMMETRIC_TEXT: Final = re.compile(r"-----BEGIN |ssh-|ecdsa-sha2-|\s*\{")


@frozen
class VerificationKey:
    """A key, and the algorithms that it verifies.

    Attributes:
        key: As joserfc has it.
        kid: Its name in its set, if it has one.
        algorithms: Those that fit its kind, or the one that it is said to be for.
    """

    key: Key
    kid: str | None
    algorithms: tuple[str, ...]


class Keys(Protocol):
    """Where keys come from."""

    async def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """The keys that a token may be signed with; none where it cannot be right.

        Args:
            kid: The key that its header names, if it names any.
            algorithm: That its header names; one that is allowed.

        Raises:
            BoardsError: Which keys there are cannot be told now.
        """

    async def close(self) -> None:
        """Release everything; it may be used again."""


class StaticKeys:
    """Keys that never change. Implements :class:`Keys`."""

    def __init__(self, keys: Iterable[VerificationKey]) -> None:
        self._keys = tuple(keys)

    async def candidates(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Those that fit. A key without a name is for tokens that name any."""
        return fitting(self._keys, kid, algorithm, unnamed=True)

    async def close(self) -> None:
        """Nothing is open."""


def fitting(
    keys: Sequence[VerificationKey], kid: str | None, algorithm: str, *, unnamed: bool = False
) -> list[VerificationKey]:
    """The keys for an algorithm, of that name if there is one.

    Args:
        keys: All.
        kid: The name that a token gives; None fits all.
        algorithm: The algorithm.
        unnamed: Whether a key without a name fits every name.
    """
    return [
        one
        for one in keys
        if algorithm in one.algorithms
        and (kid is None or one.kid == kid or (unnamed and one.kid is None))
    ]


def key_set(document: Any) -> tuple[VerificationKey, ...]:
    """The keys of a JWK Set (RFC 7517) that signatures are verified with.

    What is of no use is left out: keys for encryption, kinds that are not known, keys that are
    too short or broken. So are secrets: what everybody can read is none. Of a private key, which
    nobody should publish, the public part counts.

    Raises:
        ValueError: It is no set of keys.
    """
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError("no JWK Set: it has no list of keys")  # noqa: TRY004  # as JSON's
    found = (_of_jwk(one) for one in keys[:_MOST_KEYS] if isinstance(one, dict))
    return tuple(one for one in found if one is not None)


def _of_jwk(jwk: dict[str, Any]) -> VerificationKey | None:
    kind, kid, told = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    members = _PUBLIC.get(kind) if isinstance(kind, str) else None
    operations = jwk.get("key_ops")
    if members is None or jwk.get("use", "sig") != "sig":
        return None
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    try:
        if kind == "RSA" and len(jwk["n"]) * 6 < _LEAST_RSA_BITS:  # joserfc only warns of it
            return None
        key = JWKRegistry.import_key({name: jwk[name] for name in ("kty", *members)})
        algorithms = _algorithms(key)
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None
    if told is not None:
        algorithms = tuple(one for one in algorithms if one == told)
    return VerificationKey(key, kid if isinstance(kid, str) else None, algorithms)


def _algorithms(key: Key) -> tuple[str, ...]:
    if isinstance(key, RSAKey):
        if key.public_key.key_size < _LEAST_RSA_BITS:
            raise ValueError(f"an RSA key of less than {_LEAST_RSA_BITS} bits")
        return _RSA
    if isinstance(key, ECKey):
        return _CURVES.get(key.curve_name, ())
    return _EDWARDS.get(key.curve_name, ()) if isinstance(key, OKPKey) else ()


def pem_key(text: str) -> VerificationKey:
    """A public key or a certificate in PEM, or one key or a set of one in JSON.

    Raises:
        ValueError: It is none, or one that cannot be used; tells why.
    """
    if text.lstrip().startswith("{"):
        document = json.loads(text)
        found = key_set(document if "keys" in document else {"keys": [document]})
        if len(found) != 1:
            raise ValueError("JSON without exactly one public key for signatures")
        return found[0]
    for kind in (RSAKey, ECKey, OKPKey):
        try:
            key: Key = kind.import_key(text)
        except (JoseError, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        if key.is_private:
            raise ValueError("a private key: tokens are verified with the public one")
        if algorithms := _algorithms(key):
            return VerificationKey(key, None, algorithms)
    raise ValueError("no public key in PEM, of RSA, or of a curve that signs tokens")


def secret_key(secret: str) -> VerificationKey:
    """A secret that issuer and host share.

    Raises:
        ValueError: It is too short to be one, or is what everybody may know.
    """
    if _ASYMMETRIC_TEXT.match(secret):
        raise ValueError("a key that is no secret")
    content = secret.encode()
    algorithms = tuple(name for name, least in _HMAC.items() if len(content) >= least)
    if not algorithms:
        raise ValueError(f"{len(content)} bytes long; at least {_HMAC['HS256']} random ones")
    return VerificationKey(OctKey.import_key(content), None, algorithms)
