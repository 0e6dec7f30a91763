"""JSON web tokens taken apart and put together wrongly, as an attacker does.

RFC 7515, section 7.1: three parts in base64url without padding, joined by dots.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve, frozen

__all__ = ["Token", "token_of", "unpadded"]


@frozen
class Token:
    """A signed token.

    Attributes:
        header: Its first part, decoded.
        claims: Its second part, decoded.
        signature: Its third part, as it stands.
    """

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signature: str

    def __str__(self) -> str:
        return f"{self.signed}.{self.signature}"

    @property
    def signed(self) -> str:
        """What the signature is of."""
        return ".".join(unpadded(json.dumps(part).encode()) for part in (self.header, self.claims))

    def tampered(self) -> Iterator[tuple[str, "Token"]]:
        """Tokens with one claim changed and the signature kept, each with the claim's name."""
        for name, value in self.claims.items():
            match value:
                case str():
                    yield name, evolve(self, claims={**self.claims, name: f"{value}x"})
                case int() | float():
                    yield name, evolve(self, claims={**self.claims, name: value + 3600})
                case _:
                    yield name, evolve(self, claims={**self.claims, name: None})

    def unsigned(self) -> Iterator["Token"]:
        """Tokens whose header says that there is no signature, in its spellings."""
        for spelling in ("none", "None", "NONE", "nOnE", ""):
            header = {**self.header, "alg": spelling}
            yield evolve(self, header=header, signature="")
            yield evolve(self, header=header)

    def signed_with(self, public_key: bytes) -> Iterator["Token"]:
        """Tokens signed by HMAC with a public key as its secret, in the forms that it may have."""
        confused = evolve(self, header={**self.header, "alg": "HS256"})
        for secret in (public_key, public_key.strip(), public_key.strip() + b"\n"):
            digest = hmac.new(secret, confused.signed.encode(), hashlib.sha256).digest()
            yield evolve(confused, signature=unpadded(digest))


def unpadded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token_of(text: str) -> Token | None:
    """The token that a text is; None if it is none."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
            for part in parts[:2]
        )
    except (ValueError, binascii.Error):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict) or "alg" not in header:
        return None
    return Token(header, claims, parts[2])
