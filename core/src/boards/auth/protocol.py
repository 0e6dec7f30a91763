"""What a host asks of an auth: who is asking?"""

from collections.abc import Mapping
from typing import Protocol

from attrs import frozen

__all__ = ["Auth", "Identity"]


@frozen
class Identity:
    """Who asks.

    Attributes:
        owner: Whose generations they are: one owner never sees another's.
        tenant: The organisation that the owner belongs to; empty where there is none.
    """

    owner: str
    tenant: str = ""


class Auth(Protocol):
    """Tells who asks, from what they brought along."""

    async def identify(self, credentials: Mapping[str, str]) -> Identity:
        """Who brought these credentials.

        Args:
            credentials: By name in lower case: a server passes the headers of a request, a call
                in the host's own process nothing.

        Raises:
            BoardsError: They are missing, wrong or expired. The message repeats none of them.
        """
