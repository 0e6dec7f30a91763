"""Two right auths - of signed tokens, and of secret keys - and auths with one defect each.

They share nothing with the kit that tries them, nor with any plugin.
"""

import asyncio
import base64
import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from boards.auth import Identity
from boards.errors import AuthError, SettingsError

__all__ = ["KEYS", "MUTANTS", "PEM", "PRIVATE", "Badges", "Keys", "issue"]

PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

KEYS = {
    "key-0d1f2a3b4c5d6e7f-alice": Identity("alice"),
    "key-99aabbccddeeff00-bob": Identity("bob"),
}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def issue(identity: Identity, *, key: Ed25519PrivateKey = PRIVATE, **claims: Any) -> dict[str, str]:
    """Credentials of somebody, for an hour."""
    now = time.time()
    claims = {
        "sub": identity.owner,
        "org": identity.tenant,
        "iss": "https://issuer.example",
        "aud": "boards",
        "nbf": now,
        "exp": now + 3600,
        **claims,
    }
    parts = ({"alg": "EdDSA", "typ": "JWT"}, claims)
    signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    return {"authorization": f"Bearer {signed}.{_encode(key.sign(signed.encode()))}"}


class Badges:
    """Tokens signed by one issuer."""

    leeway = 30.0

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        await asyncio.sleep(0)
        try:
            word = self.word(self.header(credentials))
            signed, _, signature = word.rpartition(".")
            header, claims = (json.loads(_decode(part)) for part in signed.split("."))
            self.verify(header, signed.encode(), _decode(signature))
            self.judge(claims)
        except (ValueError, TypeError, KeyError, AttributeError, InvalidSignature):
            raise self.refusal(credentials) from None
        return self.identity(claims)

    def header(self, credentials: Mapping[str, str]) -> str:
        return {name.lower(): value for name, value in credentials.items()}["authorization"]

    def word(self, value: str) -> str:
        scheme, word = value.split(" ")
        if scheme.lower() != "bearer":
            raise ValueError
        return word

    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header["alg"] != "EdDSA":
            raise ValueError
        PUBLIC.verify(signature, signed)

    def judge(self, claims: dict[str, Any]) -> None:
        now = time.time()
        early, late = now + self.leeway < claims["nbf"], now - self.leeway >= claims["exp"]
        if early or late or claims["iss"] != "https://issuer.example" or claims["aud"] != "boards":
            raise ValueError

    def identity(self, claims: dict[str, Any]) -> Identity:
        return Identity(claims["sub"], claims["org"])

    def refusal(self, credentials: Mapping[str, str]) -> Exception:
        return AuthError("The token is missing, wrong or expired.", remedy="Sign in again.")


class Keys:
    """Secret keys in a header of their own."""

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        named = {name.lower(): value for name, value in credentials.items()}
        return self.find(named.get("x-api-key", ""))

    def find(self, given: str) -> Identity:
        for key, identity in KEYS.items():
            if hmac.compare_digest(given.encode(errors="surrogatepass"), key.encode()):
                return identity
        raise AuthError("The key is missing or wrong.")


# Each defect below is named by what is wrong, and told with the check that must notice it.

MUTANTS: dict[str, tuple[str, Callable[[], Any]]] = {}


def defect(check: str) -> Callable[[type], type]:
    """An auth with a defect, which a check must notice."""

    def enter(cls: type) -> type:
        MUTANTS[cls.__name__] = (check, cls)
        return cls

    return enter


@defect("valid")
class ForgetsTheTenant(Badges):
    def identity(self, claims: dict[str, Any]) -> Identity:
        return Identity(claims["sub"])


@defect("valid")
class RefusesTheSecondTime(Badges):
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def word(self, value: str) -> str:
        if value in self.seen:
            raise ValueError
        self.seen.add(value)
        return super().word(value)


@defect("missing")
class LetsAnybodyInWithoutAKey(Keys):
    def find(self, given: str) -> Identity:
        return super().find(given) if given else Identity("anybody")


@defect("missing")
class CrashesWithoutAHeader(Badges):
    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        credentials["authorization"]
        return await super().identify(credentials)


@defect("garbage")
class CrashesOnAccents(Keys):
    def find(self, given: str) -> Identity:
        for key, identity in KEYS.items():
            if hmac.compare_digest(given, key):
                return identity
        raise AuthError("The key is missing or wrong.")


@defect("garbage")
class RaisesAnotherError(Badges):
    def refusal(self, credentials: Mapping[str, str]) -> Exception:
        return SettingsError("The token cannot be read.")


@defect("tampered")
class VerifiesNothing(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        pass


@defect("tampered")
class ComparesInAnyCase(Keys):
    def find(self, given: str) -> Identity:
        for key, identity in KEYS.items():
            if given[8:].lower() == key[8:].lower():
                return identity
        return super().find(given)


@defect("whole")
class ComparesTheStart(Keys):
    def find(self, given: str) -> Identity:
        for key, identity in KEYS.items():
            if len(given) > 8 and key.startswith(given):
                return identity
        return super().find(given)


@defect("whole")
class ComparesTheEnd(Keys):
    def find(self, given: str) -> Identity:
        for key, identity in KEYS.items():
            if given.startswith(key):
                return identity
        return super().find(given)


@defect("names-in-any-case")
class KnowsOneSpelling(Badges):
    def header(self, credentials: Mapping[str, str]) -> str:
        return credentials["authorization"]


@defect("expired")
class NeverExpires(Badges):
    def judge(self, claims: dict[str, Any]) -> None:
        super().judge({**claims, "exp": time.time() + 60})


@defect("expired")
class IsTooPatient(Badges):
    leeway = 300.0


@defect("premature")
class ForgetsTheStart(Badges):
    def judge(self, claims: dict[str, Any]) -> None:
        super().judge({**claims, "nbf": 0})


@defect("clock-skew")
class AllowsNoSkew(Badges):
    leeway = 0.0


@defect("clock-skew")
class AllowsNoSkewAtTheStart(Badges):
    def judge(self, claims: dict[str, Any]) -> None:
        super().judge({**claims, "nbf": claims["nbf"] + self.leeway})


@defect("expires-in-use")
class KeepsWhomItKnows(Badges):
    def __init__(self) -> None:
        self.known: dict[str, Identity] = {}

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        value = credentials["authorization"]
        if value not in self.known:
            self.known[value] = await super().identify(credentials)
        return self.known[value]


@defect("audience")
class ServesAnyAudience(Badges):
    def judge(self, claims: dict[str, Any]) -> None:
        super().judge({**claims, "aud": "boards"})


@defect("issuer")
class TrustsAnyIssuer(Badges):
    def judge(self, claims: dict[str, Any]) -> None:
        super().judge({**claims, "iss": "https://issuer.example"})


@defect("key")
class TrustsAnySignature(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header["alg"] != "EdDSA" or len(signature) != 64:
            raise ValueError


@defect("unsigned")
class BelievesNone(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header["alg"] != "none":
            super().verify(header, signed, signature)


@defect("unsigned")
class BelievesNoneInCapitals(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header["alg"] == "none":
            raise ValueError
        if header["alg"].lower() != "none":
            super().verify(header, signed, signature)


@defect("algorithm")
class TakesThePublicKeyForASecret(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        if header["alg"] != "HS256":
            super().verify(header, signed, signature)
        elif not hmac.compare_digest(hmac.digest(PEM, signed, "sha256"), signature):
            raise ValueError


@defect("concurrency")
class RemembersOneAtATime(Badges):
    identified: Identity

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        self.identified = await super().identify(credentials)
        await asyncio.sleep(0)
        return self.identified


@defect("secrets")
class QuotesTheToken(Badges):
    def refusal(self, credentials: Mapping[str, str]) -> Exception:
        return AuthError(f"The token {credentials.get('authorization')} is wrong.")


@defect("secrets")
class QuotesTheTokenInTheRemedy(Badges):
    def refusal(self, credentials: Mapping[str, str]) -> Exception:
        return AuthError("Wrong.", remedy=f"Replace {credentials.get('authorization', '')[7:]}.")


@defect("secrets")
class QuotesTheCause(Keys):
    def find(self, given: str) -> Identity:
        try:
            return KEYS[given]
        except KeyError as error:
            raise AuthError("The key is missing or wrong.") from error


@defect("secrets")
class LogsTheToken(Badges):
    def header(self, credentials: Mapping[str, str]) -> str:
        logging.getLogger("badges").debug("asked by %s", credentials)
        return super().header(credentials)


@defect("secrets")
class LogsTheSignature(Badges):
    def verify(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        logging.getLogger("badges").debug("verifies %s", _encode(signature))
        super().verify(header, signed, signature)
