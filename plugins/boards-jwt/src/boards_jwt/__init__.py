"""Who asks, by the JSON web token that they bring along: the auth ``jwt`` of Boards.

Its parts load when they are used: every listing of plugins imports this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boards_jwt.auth import JwtAuth
    from boards_jwt.issuer import IssuerKeys
    from boards_jwt.keys import Keys, StaticKeys
    from boards_jwt.tokens import ASYMMETRIC, SYMMETRIC, Rules

__all__ = ["ASYMMETRIC", "SYMMETRIC", "IssuerKeys", "JwtAuth", "Keys", "Rules", "StaticKeys"]

_MODULES: Final = {
    "ASYMMETRIC": "tokens",
    "IssuerKeys": "issuer",
    "JwtAuth": "auth",
    "Keys": "keys",
    "Rules": "tokens",
    "SYMMETRIC": "tokens",
    "StaticKeys": "keys",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
