"""What a host asks of an auth: who is asking?"""

from collections.abc import Mapping
from typing import Protocol, Self
from urllib.parse import quote, unquote

from attrs import field, frozen
from attrs.validators import instance_of

__all__ = ["Auth", "Identity"]


@frozen
class Identity:
    """Who asks.

    Attributes:
        owner: Whose generations they are: one owner never sees another's.
        tenant: The organisation that the owner belongs to; empty where there is none. Owners of
            one name in two tenants are two owners.
    """

    owner: str = field(validator=instance_of(str))
    tenant: str = field(default="", validator=instance_of(str))

    @property
    def scope(self) -> str:
        """Tenant and owner as one text, the ``owner`` of what the store keeps.

        ``tenant/owner``, each percent-encoded, so that no two identities have one scope; empty
        for nobody.
        """
        if not self.owner and not self.tenant:
            return ""
        return f"{_quoted(self.tenant)}/{_quoted(self.owner)}"

    @classmethod
    def of_scope(cls, scope: str) -> Self:
        """The identity of a scope.

        Raises:
            ValueError: It is the scope of none.
        """
        tenant, _, owner = scope.partition("/")
        found = cls(_unquoted(owner), _unquoted(tenant))
        if found.scope != scope:
            raise ValueError(f"{scope!r} is no scope: expected tenant/owner, percent-encoded")
        return found


def _quoted(name: str) -> str:
    # A claim may hold half of a surrogate pair: it is a name like any other, and encoded as one.
    return quote(name, safe="", errors="surrogatepass")


def _unquoted(text: str) -> str:
    return unquote(text, errors="surrogatepass")


class Auth(Protocol):
    """Tells who asks, from what they brought along.

    One that holds something open has an ``async def close(self)`` too: the host calls it at its
    end.
    """

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        """Who brought these credentials.

        Args:
            credentials: By name, in any case: a server passes the headers of a request, a call
                in the host's own process nothing.

        Raises:
            AuthError: They are missing, wrong or expired. It repeats none of them.
            BoardsError: Whether they are right cannot be told now. It repeats none either.
        """
