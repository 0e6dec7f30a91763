"""Who asks, by the JSON web token that they bring along: the auth ``jwt`` of Boards."""

from boards_jwt.auth import JwtAuth
from boards_jwt.issuer import IssuerKeys
from boards_jwt.keys import Keys, StaticKeys
from boards_jwt.tokens import ASYMMETRIC, SYMMETRIC, Rules

__all__ = ["ASYMMETRIC", "SYMMETRIC", "IssuerKeys", "JwtAuth", "Keys", "Rules", "StaticKeys"]
