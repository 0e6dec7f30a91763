"""The auth: from a request's headers to whoever it is."""

import time
from collections.abc import Mapping
from typing import Final

from boards.auth import Identity
from boards.errors import AuthError
from boards_jwt.keys import Keys
from boards_jwt.tokens import Rules, claim, header_of, refuse_unfit, verified

__all__ = ["JwtAuth"]

_LONGEST: Final = 255
"""Characters of a name: a subject of OpenID Connect has no more."""


class JwtAuth:
    """Whoever a JSON web token names. Implements :class:`boards.auth.Auth`.

    A token is looked at anew each time: none is remembered, and one that expired is refused.

    Args:
        keys: What signatures are verified with.
        rules: What counts.
        owner_claim: Whose name it is: of a claim, or a JSON Pointer (``/user/id``).
        tenant_claim: Likewise for the tenant; None where there are none.
    """

    def __init__(
        self,
        keys: Keys,
        rules: Rules,
        *,
        owner_claim: str = "sub",
        tenant_claim: str | None = None,
    ) -> None:
        self._keys = keys
        self._rules = rules
        self._owner_claim = owner_claim
        self._tenant_claim = tenant_claim

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        """Whoever the token names.

        Args:
            credentials: ``authorization: Bearer TOKEN``, or the token alone as ``token``; names
                in any case.

        Raises:
            AuthError: There is no token, or it does not count.
            BoardsError: The issuer does not answer, and the keys that are known are not enough.
        """
        header = header_of(_token(credentials), self._rules)
        keys = await self._keys.candidates(header.kid, header.algorithm)
        claims = verified(header, tuple(keys))
        refuse_unfit(claims, self._rules, time.time())
        tenant = "" if self._tenant_claim is None else self._name(claims, self._tenant_claim)
        return Identity(self._name(claims, self._owner_claim), tenant)

    def _name(self, claims: Mapping[str, object], of: str) -> str:
        name = claim(claims, of)
        if len(name) > _LONGEST:
            raise AuthError(f"The token's claim {of} has more than {_LONGEST} characters.")
        return name

    async def close(self) -> None:
        """Release everything; it may be used again."""
        await self._keys.close()


def _token(credentials: Mapping[str, str]) -> str:
    named = {name.lower(): value for name, value in credentials.items()}
    header = named.get("authorization")
    if header is None:
        if (token := named.get("token")) is None:
            raise AuthError(
                "There is no token.", remedy="Send the header: Authorization: Bearer TOKEN"
            )
        return token
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        raise AuthError(
            "The header Authorization holds no bearer token.",
            remedy="Send the header: Authorization: Bearer TOKEN",
        )
    return token.strip(" ")
