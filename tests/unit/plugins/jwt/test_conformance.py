"""The auth does what every auth must: with an issuer's keys, with a public key, with a secret."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from joserfc.jwk import Key, OctKey
from tests.unit.plugins.jwt.issuing import (
    AUDIENCE,
    EC,
    RSA,
    RSA_OTHER,
    issuing,
    token,
)

from boards.auth import Identity
from boards.testing import AuthConformance


class Tokens:
    """Tokens of every kind, by one key."""

    auth = "jwt"
    leeway = 5.0
    key: ClassVar[Key] = RSA
    other_key: ClassVar[Key] = RSA_OTHER
    algorithm: ClassVar[str] = "RS256"
    issuer: ClassVar[str] = "https://login.example.com/"

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "BOARDS_JWT_AUDIENCE": f"another,{AUDIENCE}",
            "BOARDS_JWT_ISSUER": self.issuer,
            "BOARDS_JWT_TENANT_CLAIM": "org",
            "BOARDS_JWT_LEEWAY": str(self.leeway),
        }

    def given(self, identity: Identity, key: Key | None = None, **claims: Any) -> dict[str, str]:
        whole = {"sub": identity.owner, "org": identity.tenant, "iss": self.issuer, **claims}
        return {"authorization": f"Bearer {token(key or self.key, self.algorithm, whole)}"}

    def credentials(self, identity: Identity) -> Mapping[str, str]:
        return self.given(identity)

    def expired(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        return self.given(identity, exp=time.time() - seconds)

    def premature(self, identity: Identity, seconds: float) -> Mapping[str, str]:
        return self.given(identity, nbf=time.time() + seconds)

    def for_another_audience(self, identity: Identity) -> Mapping[str, str]:
        return self.given(identity, aud=["some", "others"])

    def by_another_issuer(self, identity: Identity) -> Mapping[str, str]:
        return self.given(identity, iss="https://login.example.com")

    def with_another_key(self, identity: Identity) -> Mapping[str, str]:
        return self.given(identity, self.other_key)

    def public_key(self) -> bytes:
        pem: bytes = self.key.as_pem(private=False)
        return pem


class TestAnIssuersKeys(Tokens, AuthConformance):
    """By discovery."""


class TestAPublicKey(Tokens, AuthConformance):
    """In a file, of an elliptic curve."""

    key = EC
    other_key = type(EC).generate_key("P-256", private=True)
    algorithm = "ES256"
    file: ClassVar[Path]

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, "BOARDS_JWT_KEY_FILE": str(self.file)}


class TestASecret(Tokens, AuthConformance):
    """That both have."""

    key = OctKey.import_key("a secret of thirty-two bytes, 123")
    other_key = OctKey.import_key("another one of thirty-two bytes, 4")
    algorithm = "HS256"
    exempt: ClassVar[Mapping[str, str]] = {"algorithm": "a secret has no public key"}

    @property
    def environment(self) -> Mapping[str, str]:
        return {**super().environment, "BOARDS_JWT_SECRET": "a secret of thirty-two bytes, 123"}


@pytest.fixture(autouse=True, scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An issuer that is up, and a file with a public key."""
    path = tmp_path_factory.mktemp("keys") / "public.pem"
    path.write_bytes(EC.as_pem(private=False))
    TestAPublicKey.file = path
    with issuing() as issuer:
        TestAnIssuersKeys.issuer = issuer.url
        yield
