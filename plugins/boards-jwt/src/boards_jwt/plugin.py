"""What the plugin offers; see :mod:`boards.hookspecs`."""

from typing import TYPE_CHECKING

from boards.hookspecs import hookimpl
from boards.records import AuthRecord

if TYPE_CHECKING:
    from boards.auth import Auth
    from boards.settings import Settings

__all__ = ["boards_auths"]


@hookimpl
def boards_auths() -> list[AuthRecord]:
    """``jwt``: whoever a JSON web token names."""
    return [AuthRecord("jwt", _jwt)]


def _jwt(settings: "Settings") -> "Auth":
    # Cryptography loads where the auth is used, not where plugins are listed.
    from boards_jwt.environment import auth_of  # noqa: PLC0415

    return auth_of(settings)
