"""The auth as a host's environment describes it."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from boards.errors import SettingsError
from boards_jwt.auth import JwtAuth
from boards_jwt.issuer import IssuerKeys
from boards_jwt.keys import Keys, StaticKeys, pem_key, secret_key
from boards_jwt.tokens import ASYMMETRIC, SYMMETRIC, Rules

if TYPE_CHECKING:
    from boards.settings import Settings

__all__ = ["auth_of"]

_ISSUER: Final = "BOARDS_JWT_ISSUER"
_JWKS_URL: Final = "BOARDS_JWT_JWKS_URL"
_KEY_FILE: Final = "BOARDS_JWT_KEY_FILE"
_SECRET: Final = "BOARDS_JWT_SECRET"  # noqa: S105  # its name
_AUDIENCE: Final = "BOARDS_JWT_AUDIENCE"
_ALGORITHMS: Final = "BOARDS_JWT_ALGORITHMS"
_OWNER_CLAIM: Final = "BOARDS_JWT_OWNER_CLAIM"
_TENANT_CLAIM: Final = "BOARDS_JWT_TENANT_CLAIM"
_TYPES: Final = "BOARDS_JWT_TYPES"
_LEEWAY: Final = "BOARDS_JWT_LEEWAY"
_MOST_LEEWAY: Final = 300.0


def auth_of(settings: "Settings") -> JwtAuth:
    """The auth that the ``BOARDS_JWT_*`` variables describe.

    Raises:
        SettingsError: One is missing, or cannot be used; none of its secrets is told.
    """
    return _Reader(settings).auth()


class _Reader:
    def __init__(self, settings: "Settings") -> None:
        self._get = settings.secret

    def auth(self) -> JwtAuth:
        audience = self._words(_AUDIENCE)
        if not audience:
            raise SettingsError(
                f"{_AUDIENCE} is not set: a token for any other service would be let in.",
                remedy=f"Set {_AUDIENCE} to what the issuer writes into aud for this service.",
            )
        keys = self._keys()
        secret = self._get(_SECRET) is not None
        rules = Rules(
            audience=audience,
            issuer=self._get(_ISSUER),
            algorithms=self._algorithms(SYMMETRIC if secret else ASYMMETRIC),
            types=self._words(_TYPES),
            leeway=self._leeway(),
        )
        return JwtAuth(
            keys,
            rules,
            owner_claim=self._get(_OWNER_CLAIM) or "sub",
            tenant_claim=self._get(_TENANT_CLAIM),
        )

    def _keys(self) -> Keys:
        given = [name for name in (_JWKS_URL, _KEY_FILE, _SECRET) if self._get(name)]
        if len(given) > 1:
            raise SettingsError(
                f"{' and '.join(given)} are set: it is not clear what tokens are signed with.",
                remedy="Keep one of them.",
            )
        if not given and not self._get(_ISSUER):
            raise SettingsError(
                "The auth jwt does not know whose tokens it is to accept.",
                remedy=f"Set {_ISSUER}; or one of {_JWKS_URL}, {_KEY_FILE} and {_SECRET}.",
            )
        name = given[0] if given else _ISSUER
        try:
            match name:
                case "BOARDS_JWT_KEY_FILE":
                    text = Path(self._get(_KEY_FILE) or "").read_text("utf-8")
                    return StaticKeys([pem_key(text)])
                case "BOARDS_JWT_SECRET":
                    return StaticKeys([secret_key(self._get(_SECRET) or "")])
                case _:
                    return IssuerKeys(self._get(_ISSUER), jwks_url=self._get(_JWKS_URL))
        except (OSError, ValueError) as error:
            told = (
                f"the file cannot be read: {error.strerror}"
                if isinstance(error, OSError)
                else error
            )
            raise SettingsError(
                f"{name} cannot be used: {told}.", remedy=f"Change {name}."
            ) from None

    def _algorithms(self, allowed: tuple[str, ...]) -> tuple[str, ...]:
        given = self._words(_ALGORITHMS) or allowed
        if strange := [one for one in given if one not in allowed]:
            raise SettingsError(
                f"{_ALGORITHMS} has {', '.join(strange)}: with these keys, tokens are signed with"
                f" {', '.join(allowed)}.",
                remedy=f"Leave {_ALGORITHMS} out, or name some of those.",
            )
        return given

    def _leeway(self) -> float:
        text = self._get(_LEEWAY) or "30"
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds <= _MOST_LEEWAY:
            raise SettingsError(
                f"{_LEEWAY} is {text!r}: expected seconds from 0 to {_MOST_LEEWAY:g}.",
                remedy=f"Change {_LEEWAY}, or leave it out for 30.",
            )
        return seconds

    def _words(self, name: str) -> tuple[str, ...]:
        return tuple(one for word in (self._get(name) or "").split(",") if (one := word.strip()))
